import { InvalidOptionsError } from '../../errors.js';
import type { KeyvAdapter, KeyvInstance } from './keyv-store.js';

/** What was given as `store`. Recognised by shape: an application may hold two copies of Keyv. */
export type Recognised =
  | { readonly adapter: KeyvAdapter; readonly instance: undefined }
  | { readonly adapter: KeyvAdapter; readonly instance: KeyvInstance };

const KEYV_6 =
  'is of Keyv 6, which counts lives in another way. Install Keyv 5 with: npm install keyv@^5.6.0 ' +
  '(plain `npm install keyv` gives version 6), and the adapters that go with it.';

/** @throws InvalidOptionsError with the remedy for anything but an instance of Keyv 5 or a store for one */
export function recognise(given: object): Recognised {
  if (!isInstance(given)) return { adapter: asAdapter(given, 'it'), instance: undefined };
  return { adapter: asAdapter(given.store, 'its store'), instance: given };
}

function asAdapter(given: object, name: string): KeyvAdapter {
  if (isOfKeyv6(given)) return refuse(`${name} ${KEYV_6}`);
  const adapter = given as KeyvAdapter;
  const missing = (['get', 'set', 'delete'] as const).filter((part) => typeof adapter[part] !== 'function');
  if (missing.length === 0) return adapter;
  return refuse(`${name} has no ${missing.join(', ')}. Give an instance of Keyv 5 or a store for one.`);
}

function isInstance(given: object): given is KeyvInstance {
  const { opts, store, serializeData, deserializeData } = given as Partial<KeyvInstance>;
  return (
    typeof opts === 'object' &&
    typeof store === 'object' &&
    store !== null &&
    typeof serializeData === 'function' &&
    typeof deserializeData === 'function'
  );
}

/** An instance of it has `setRaw`, which Keyv 5 lacks; a store of it declares that it takes moments instead of lives. */
function isOfKeyv6(given: object): boolean {
  const { setRaw, capabilities } = given as {
    readonly setRaw?: unknown;
    readonly capabilities?: { readonly expires?: unknown } | null;
  };
  return typeof setRaw === 'function' || capabilities?.expires === true;
}

function refuse(problem: string): never {
  throw new InvalidOptionsError([{ path: 'store', message: problem }]);
}
