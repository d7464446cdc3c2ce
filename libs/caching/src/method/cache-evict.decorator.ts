import type { OpenCache } from '../cache/cache-registry.js';
import { checkedTags } from '../cache/tags.js';
import { InvalidDecorationError } from '../errors.js';
import { ask, decorate } from './decorate.js';
import type { Exactly, MethodCacheDecorator } from './fitting-decorator.js';
import { assertKeyName, keyOf } from './method-key.js';
import { assertMethodOptions } from './method-option-schemas.js';
import { tagsFor } from './method-option-values.js';
import type { CacheEvictOptions } from './method-options.js';

/** What is to go, as far as the arguments tell. */
interface Targets {
  readonly key: string | undefined;
  readonly tags: readonly string[];
}

/**
 * Runs the method, and evicts afterwards what it has made outdated: the entry of a `@Cached` method, everything with some
 * tags, or all. Loads that are under way do not bring it back. If the method throws, nothing is evicted, unless `always`.
 *
 * The method has done its work by then, so a failing backend does not make the call fail: that is logged, hidden from the
 * readers of this process, and made up for when the backend is back.
 *
 * @throws InvalidArgumentError, InvalidDecorationError where it is written
 * @throws UnencodableArgumentError and InvalidArgumentError before the method runs; NotConnectedError
 *
 * @example
 * @CacheEvict({ name: 'product', tags: ['products'] })
 * async remove(id: number): Promise<void> {}
 */
export function CacheEvict<const Options extends CacheEvictOptions & object>(
  options: Exactly<Options, CacheEvictOptions>,
): MethodCacheDecorator<Options>;
export function CacheEvict(options: CacheEvictOptions): MethodCacheDecorator {
  assertMethodOptions('CacheEvict', options);
  const { cache, name, condition, key, tags, resultTags, soft = false, all, always } = options;
  if (name !== undefined) assertKeyName(name);
  if (typeof tags === 'object') checkedTags(tags);
  if (name === undefined && (key !== undefined || (tags ?? resultTags ?? all) === undefined)) {
    throw new InvalidDecorationError(
      '@CacheEvict needs to know what goes: `name` (with or without `key`), `tags`, `resultTags` or `all`.',
    );
  }
  return decorate({ decorator: 'CacheEvict', cache, name, keyedBy: undefined }, async (call, original) => {
    const { caches, args } = call;
    if (condition !== undefined && !ask(condition, call, args)) return original(call);
    const open = caches.cache(cache);
    const targets: Targets = {
      key: name === undefined ? undefined : keyOf(name, key === undefined ? args : ask(key, call, args)),
      tags: checkedTags(tagsFor(tags, call, args)),
    };
    let result: unknown;
    try {
      result = await original(call);
    } catch (error) {
      if (always === true) await evict(open, targets, options);
      throw error;
    }
    await evict(open, targets, options);
    if (resultTags !== undefined) {
      await evict(open, { key: undefined, tags: ask(resultTags, call, [result, ...args]) }, { soft });
    }
    return result;
  });
}

async function evict(
  { service, policy }: OpenCache,
  { key, tags }: Targets,
  options: CacheEvictOptions,
): Promise<void> {
  const evictions: Promise<void>[] = [];
  const forgive = (operation: string, run: () => Promise<unknown>) =>
    evictions.push(policy.forgive(operation, async () => void (await run())));
  if (key !== undefined) forgive('delete', () => service.delete(key, options));
  if (tags.length > 0) forgive('invalidateTags', () => service.invalidateTags(tags, options));
  if (options.all === true) forgive('clear', () => service.clear());
  await Promise.all(evictions);
}
