import type { ServerResponse } from 'node:http';
import type { HeaderLookup } from './header-lookup.js';

/** What has become of a response: the whole of it; broken off on its way; or `undefined`, over the limit. */
export type Captured = CapturedPage | 'broken' | undefined;

/** A response whose body was sent whole. */
export interface CapturedPage {
  readonly status: number;
  readonly body: Buffer;
  /** All headers when the capture began: what middleware and the framework had set for this request. */
  readonly before: HeaderLookup;
  /** All headers when the body was complete. */
  readonly atEmission: HeaderLookup;
  /** All headers when the head had left: what was added at the last moment shows only here. */
  readonly atFinish: HeaderLookup;
}

/** A response whose body is whole, before its head has left. */
export type ComposedPage = Omit<CapturedPage, 'atFinish'>;

/** Asked once when a whole body is known, before it is sent: the tag to send with it, if any. */
export type Describe = (captured: ComposedPage) => string | undefined;

/**
 * A response under watch until it is known what has become of it: as soon as its body is whole and its head has left. How long
 * the client then takes to read it is nobody else's affair.
 */
export class Capture {
  readonly settled: Promise<Captured>;
  private page: ComposedPage | undefined;
  private isComposed = false;
  private settle!: (captured: Captured) => void;

  /** @param headers all headers as they have left */
  constructor(
    private readonly response: ServerResponse,
    private readonly headers: () => HeaderLookup,
  ) {
    this.settled = new Promise((resolve) => (this.settle = resolve));
    // What delays the head, as sessions do that are yet to be saved, or whoever writes past us.
    response.once('finish', () => this.finish());
    response.once('close', () => this.settle('broken'));
    // The client may have left while the cache was asked: nothing would ever come.
    if (response.destroyed) this.settle('broken');
  }

  /** Says that the body is whole; `undefined`: it was over the limit. */
  compose(page: ComposedPage | undefined): void {
    this.page = page;
    this.isComposed = true;
    this.look();
  }

  /** Forgets what was composed: something else is being sent. */
  restart(): void {
    this.page = undefined;
    this.isComposed = false;
  }

  /** Called whenever the head may have left. */
  look(): void {
    if (this.isComposed && this.response.headersSent) this.finish();
  }

  private finish(): void {
    this.settle(this.page && { ...this.page, atFinish: this.headers() });
  }
}

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
