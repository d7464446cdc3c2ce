import type { Awaitable } from '../backends/cache-backend.js';
import { Converters } from './converters.js';
import type { Entries, EntryCodec, Found } from './entries.js';
import { escapeKey } from './keys.js';
import { RequestMemo } from './request-memo.js';
import { createValueCodec, type KeptValue } from './values.js';

interface ReadingOptions {
  readonly requestMemo: boolean;
  readonly converters: ConstructorParameters<typeof Converters>[0];
}

/** How present values are read: from the backend, or from what the request under way has read before. */
export class ValueReads {
  readonly converters: Converters;
  readonly codec: EntryCodec<KeptValue>;
  /** Whether a read waits for nothing, so that it can be made before a load is thought of. */
  readonly answerAtOnce: boolean;
  /** Whether requests remember what they have read. */
  readonly areRemembered: boolean;
  private readonly memo: RequestMemo | undefined;

  /** Runs a change of the request's own: what it has read before, or reads beside it, is forgotten. */
  readonly changing = <R>(change: () => Awaitable<R>): Awaitable<R> =>
    this.memo === undefined ? change() : this.forgetAround(change);

  constructor(
    private readonly entries: Entries,
    { requestMemo, converters }: ReadingOptions,
  ) {
    this.converters = new Converters(converters);
    this.codec = createValueCodec(this.converters);
    this.memo = requestMemo ? new RequestMemo() : undefined;
    this.areRemembered = requestMemo;
    this.answerAtOnce = entries.answersAtOnce;
  }

  /** The caller's key, of which nothing is escaped yet. */
  one(key: string, version: number): Awaitable<Found<KeptValue>> {
    const { memo } = this;
    if (memo === undefined) return this.entries.readKey(this.codec, key, version);
    return memo.read(nameOf(escapeKey(key), version), () => this.entries.readKey(this.codec, key, version));
  }

  async many(segments: readonly string[], version: number): Promise<readonly Found<KeptValue>[]> {
    const { memo } = this;
    if (memo === undefined) return this.entries.readMany(this.codec, segments, version);
    const names = segments.map((each) => nameOf(each, version));
    return memo.readMany(names, async (indexes) => {
      const asked = indexes.map((index) => segments[index] ?? '');
      return this.entries.readMany(this.codec, asked, version);
    });
  }

  /** The request has changed something itself. */
  forget(): void {
    this.memo?.forget();
  }

  private async forgetAround<R>(change: () => Awaitable<R>): Promise<R> {
    this.forget();
    try {
      return await change();
    } finally {
      this.forget();
    }
  }
}

function nameOf(segments: string, version: number): string {
  return `${version}:${segments}`;
}
