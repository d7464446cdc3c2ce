import type { Factory, GetOrSetOptions } from '../cache/cache-service.options.js';
import type { Ttl } from '../duration.js';
import { ask, type Call, decorate, type Original } from './decorate.js';
import type { Exactly, MethodCacheDecorator } from './fitting-decorator.js';
import { keyOf } from './method-key.js';
import { checkedOptions, loadOptions, tagsFor } from './method-option-values.js';
import type { CachedOptions } from './method-options.js';

/**
 * Answers a method from the cache, and runs it on a miss: once for all who ask meanwhile, as `getOrSet` does. Goes on
 * methods of providers, controllers, resolvers and gateways that answer a promise; calls by `this` are cached as well. The
 * key is made of the names of class and method and of all arguments, see `cacheKey`.
 *
 * What the method reads elsewhere (of `this`, of the request) is not in the key: name it in `key`. A request-scoped class
 * must. Results are snapshots: plain data, frozen; `undefined` is not stored. The method's errors reach the caller as they
 * are.
 *
 * @param options the ttl, or all options; a ttl alone is **milliseconds** or `'15m'`. Default: the `ttl` of the cache
 * @throws InvalidDurationError, InvalidArgumentError, InvalidDecorationError where it is written
 * @throws UnencodableArgumentError, NotConnectedError, UnserializableValueError and what `getOrSet` throws, on a call
 *
 * @example
 * @Cached({ ttl: '5m', key: (id: number) => [id], tags: (id: number) => [`product:${id}`] })
 * async find(id: number): Promise<Product> {}
 */
export function Cached(ttl?: Ttl): MethodCacheDecorator;
export function Cached<const Options extends CachedOptions & object>(
  options: Exactly<Options, CachedOptions>,
): MethodCacheDecorator<Options>;
export function Cached(given?: Ttl | CachedOptions): MethodCacheDecorator {
  const options = checkedOptions('Cached', given);
  const { cache, name, key, condition } = options;
  const loading = loadOptions(options);
  return decorate(
    { decorator: 'Cached', cache, name, keyedBy: key === undefined ? 'arguments' : 'options' },
    (call, original, decoration) => {
      const { caches, self, args } = call;
      if (condition !== undefined && !ask(condition, call, args)) return original(call);
      const parts = key === undefined ? args : ask(key, call, args);
      return caches
        .cache(cache)
        .service.getOrSet(
          keyOf(caches.nameOf(decoration, self), parts),
          factory(options, call, original),
          withTags(loading, options, call),
        );
    },
  );
}

function withTags(loading: GetOrSetOptions, { tags }: CachedOptions, call: Call): GetOrSetOptions {
  return typeof tags === 'function' ? { ...loading, tags: tagsFor(tags, call, call.args) } : loading;
}

function factory({ unless, resultTags }: CachedOptions, call: Call, original: Original): Factory<unknown> {
  if (unless === undefined && resultTags === undefined) return () => original(call);
  return async (context) => {
    const result = await original(call);
    if (result === undefined) return undefined;
    const seen = [result, ...call.args];
    if (unless !== undefined && ask(unless, call, seen)) context.setTtl(0);
    else if (resultTags !== undefined) context.addTags(ask(resultTags, call, seen));
    return result;
  };
}
