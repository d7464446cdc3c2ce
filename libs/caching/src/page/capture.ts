import type { HeaderLookup } from './header-lookup.js';

/** What has become of a response: the whole of it; broken off on its way; or `undefined`, over the limit. */
export type Captured = CapturedPage | 'broken' | undefined;

/** A response that went out whole. */
export interface CapturedPage {
  readonly status: number;
  readonly body: Buffer;
  /** All headers when the capture began: what middleware and the framework had set for this request. */
  readonly before: HeaderLookup;
  /** All headers when the body was complete. */
  readonly atEmission: HeaderLookup;
  /** All headers when the response had left: what was added at the last moment shows only here. */
  readonly atFinish: HeaderLookup;
}

/** Asked once when a whole body is known, before it is sent: the tag to send with it, if any. */
export type Describe = (captured: Omit<CapturedPage, 'atFinish'>) => string | undefined;

/** Collects a body up to a limit. */
export class BodyCollector {
  private chunks: Buffer[] = [];
  private size = 0;
  private isOver = false;

  constructor(private readonly limit: number) {}

  add(chunk: unknown, encoding?: unknown): void {
    if (this.isOver || chunk === undefined || chunk === null || typeof chunk === 'function') return;
    const bytes =
      typeof chunk === 'string'
        ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
        : Buffer.from(chunk as Uint8Array);
    this.size += bytes.length;
    if (this.size <= this.limit) this.chunks.push(bytes);
    else this.giveUp();
  }

  /** The whole body, or `undefined` if it was over the limit or given up. */
  whole(): Buffer | undefined {
    if (this.isOver) return undefined;
    return this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks);
  }

  giveUp(): void {
    this.isOver = true;
    this.chunks = [];
  }
}
