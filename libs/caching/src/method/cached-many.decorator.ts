import type { BatchContext } from '../cache/cache-service.options.js';
import type { Ttl } from '../duration.js';
import { BatchCall } from './batch-call.js';
import { ask, type Call, decorate } from './decorate.js';
import { titleOf } from './decorations.js';
import type { BatchCacheDecorator, Exactly } from './fitting-decorator.js';
import { keyOf } from './method-key.js';
import { checkedOptions, loadOptions } from './method-option-values.js';
import type { CachedManyOptions } from './method-options.js';

/**
 * `@Cached` for a method that takes a list of ids first and answers for each of them: each id has an entry of its own, all
 * are looked up in one round trip, and the method runs once, with the ids that are missing. With the `name` of a `@Cached`
 * method that takes one id it shares the entries of that one.
 *
 * The functions in the options are asked for one id at a time. The method answers a `Map` by id, or with
 * `answers: 'array'` a list in the order of the ids. What it has no answer for is not stored.
 *
 * @param options the ttl, or all options; a ttl alone is **milliseconds** or `'15m'`. Default: the `ttl` of the cache
 * @throws as `@Cached`; on a call also InvalidDecorationError for an answer of the other kind or of another length, and
 * InvalidArgumentError without a list
 *
 * @example
 * @CachedMany({ ttl: '5m', tags: (id: number) => [`product:${id}`] })
 * async findMany(ids: readonly number[]): Promise<Map<number, Product>> {}
 */
export function CachedMany(ttl?: Ttl): BatchCacheDecorator;
export function CachedMany<const Options extends CachedManyOptions & object>(
  options: Exactly<Options, CachedManyOptions>,
): BatchCacheDecorator<Options>;
export function CachedMany(given?: Ttl | CachedManyOptions): BatchCacheDecorator {
  const options = checkedOptions('CachedMany', given);
  const { cache, name, key, condition, answers } = options;
  const loading = loadOptions(options);
  return decorate(
    { decorator: 'CachedMany', cache, name, keyedBy: key === undefined ? 'arguments' : 'options' },
    async (call, original, decoration) => {
      const { caches, self } = call;
      const batch = new BatchCall(call, original, titleOf(decoration), answers ?? 'map');
      const keyName = caches.nameOf(decoration, self);
      const keys = batch.ids.map((id) => {
        const one = batch.argumentsOf(id);
        if (condition !== undefined && !ask(condition, call, one)) return undefined;
        return keyOf(keyName, key === undefined ? one : ask(key, call, one));
      });
      const ids = new Map<string, unknown>();
      keys.forEach((each, index) => each !== undefined && ids.set(each, batch.ids[index]));
      const load = async (missing: readonly string[], context: BatchContext) => {
        const answers = await batch.run(missing.map((each) => ids.get(each)));
        return new Map(
          missing.flatMap((each) => {
            const value = answers.get(ids.get(each));
            if (value === undefined) return [];
            describe(options, call, batch.argumentsOf(ids.get(each)), value, each, context);
            return [[each, value] as const];
          }),
        );
      };
      const [found, others] = await Promise.all([
        caches.cache(cache).service.getOrSetMany(ids.keys(), load, loading),
        batch.run(batch.ids.filter((_, index) => keys[index] === undefined)),
      ]);
      return batch.answer(
        keys.map((each, index) => (each === undefined ? others.get(batch.ids[index]) : found.get(each))),
      );
    },
  );
}

/** Says of one result what the options say of it. */
function describe(
  { unless, tags, resultTags }: CachedManyOptions,
  call: Call,
  one: readonly unknown[],
  value: unknown,
  key: string,
  context: BatchContext,
): void {
  const seen = [value, ...one];
  if (unless !== undefined && ask(unless, call, seen)) {
    context.setTtl(0, key);
    return;
  }
  if (typeof tags === 'function') context.addTags(ask(tags, call, one), key);
  if (resultTags !== undefined) context.addTags(ask(resultTags, call, seen), key);
}
