import type { ResolvedCacheOptions } from '../resolve-options.js';
import type { Engine } from './engine.js';
import type { EntryCodec } from './entries.js';
import { lookToExplain } from './explain-held.js';
import { getOf, getOrSetOf } from './explain-reads.js';
import type { Explanation } from './explanation.js';
import type { KeptValue } from './values.js';

/** Says how a key was built, what it holds and what a read would do. @throws BackendError */
export async function explainKey(
  engine: Engine,
  codec: EntryCodec<KeptValue>,
  options: ResolvedCacheOptions,
  asked: {
    readonly key: string;
    readonly segments: string;
    readonly version: number;
    readonly isVersionGiven: boolean;
  },
): Promise<Explanation> {
  const { entries, name } = engine;
  const address = { codec, segments: asked.segments, version: asked.version };
  const { sight, held, now, isLeased, isChangePending } = await lookToExplain(engine, address);
  const { pair } = sight;
  return {
    key: {
      key: asked.key,
      keyPrefix: options.keyPrefix,
      cache: name,
      epoch: entries.stamps.current?.epoch ?? 0,
      version: asked.version,
      versionFrom: asked.isVersionGiven ? 'call' : 'cache',
      fullKey: pair.fullKey,
      finalKey: pair.key,
      isDigested: pair.key !== pair.fullKey,
    },
    backend: entries.backend.name,
    options: optionsOf(options),
    held,
    isChangePending,
    get: getOf(sight, now, isChangePending),
    getOrSet: getOrSetOf(sight, now, isLeased),
  };
}

function optionsOf(options: ResolvedCacheOptions): Explanation['options'] {
  const values = {
    ttl: options.ttlMs,
    staleWhileRevalidate: options.revalidateMs,
    staleIfError: options.errorMs,
    ttlJitter: options.jitterMs,
    errorTtl: options.errorTtlMs,
    loadTimeout: options.loadTimeoutMs,
    leaseTtl: options.leaseMs,
    tagMemo: options.tagMemoMs,
    requestMemo: options.requestMemo,
    onError: options.onError,
    maxValueBytes: options.maxValueBytes,
    compressAbove: options.compressAbove,
  };
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      { value, from: options.given.has(name) ? 'application' : 'default' } as const,
    ]),
  );
}
