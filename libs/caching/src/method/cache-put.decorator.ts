import type { OpenCache } from '../cache/cache-registry.js';
import { ask, type Call, decorate } from './decorate.js';
import type { Exactly, MethodCacheDecorator } from './fitting-decorator.js';
import { assertKeyName, keyOf } from './method-key.js';
import { checkedOptions, tagsFor } from './method-option-values.js';
import type { CachePutOptions } from './method-options.js';

/**
 * Always runs the method, and puts its result in the place of a `@Cached` method's entry: for methods that change something
 * and answer its new state. A load of that entry that is under way does not overwrite it. If the result is not to be stored
 * (`undefined`, or `unless`), the entry goes. If the method throws, nothing changes.
 *
 * The method has done its work by then, so a failing backend does not make the call fail: that is logged, and made up for
 * when the backend is back.
 *
 * @throws InvalidDurationError, InvalidArgumentError, InvalidDecorationError where it is written
 * @throws UnencodableArgumentError before the method runs, unless the key comes from the result; NotConnectedError;
 * UnserializableValueError after it, and the entry goes
 *
 * @example
 * @CachePut({ name: 'product', ttl: '5m', key: (product: Product) => [product.id] })
 * async save(product: Product): Promise<Product> {}
 */
export function CachePut<const Options extends CachePutOptions & object>(
  options: Exactly<Options, CachePutOptions>,
): MethodCacheDecorator<Options>;
export function CachePut(given: CachePutOptions): MethodCacheDecorator {
  const options: CachePutOptions = checkedOptions('CachePut', given);
  assertKeyName(options.name);
  const { cache, name, condition, key, resultKey } = options;
  return decorate({ decorator: 'CachePut', cache, name, keyedBy: undefined }, async (call, original) => {
    const { caches, args } = call;
    if (condition !== undefined && !ask(condition, call, args)) return original(call);
    const keyFrom = (option: typeof key | typeof resultKey, seen: readonly unknown[]) =>
      keyOf(name, option === undefined ? args : ask(option, call, seen));
    const early = resultKey === undefined ? keyFrom(key, args) : undefined;
    const open = caches.cache(cache);
    const result = await original(call);
    const seen = [result, ...args];
    await put(open, early ?? keyFrom(resultKey, seen), options, call, seen);
    return result;
  });
}

/** @throws UnserializableValueError */
async function put(
  { service, policy }: OpenCache,
  key: string,
  options: CachePutOptions,
  call: Call,
  seen: readonly unknown[],
): Promise<void> {
  const { unless, tags, resultTags, ...life } = options;
  const [result] = seen;
  const remove = () => policy.forgive('delete', async () => void (await service.delete(key, life)));
  if (result === undefined || (unless !== undefined && ask(unless, call, seen))) return remove();
  const all = [
    ...tagsFor(tags, call, call.args),
    ...(resultTags === undefined ? [] : ask(resultTags, call, seen)),
  ];
  try {
    await policy.forgive('set', () => service.set(key, result, { ...life, tags: all }));
  } catch (error) {
    await remove();
    throw error;
  }
}
