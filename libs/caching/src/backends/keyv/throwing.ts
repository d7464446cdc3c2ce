import { InvalidOptionsError } from '../../errors.js';

/**
 * The adapter as one that throws. `KeyvRedis` swallows failures unless its `throwOnErrors` is set; a view on it has the
 * option set, and the caller's own object stays as it was.
 *
 * @throws InvalidOptionsError if the adapter swallows failures and lets no view change that
 */
export function throwing<T extends object>(adapter: T): T {
  if (!swallows(adapter)) return adapter;
  const view = Object.create(adapter) as T & { throwOnErrors: boolean };
  try {
    view.throwOnErrors = true;
  } catch {
    // A setter that the view cannot reach; below it shows.
  }
  if (!swallows(view) && swallows(adapter)) return view;
  throw new InvalidOptionsError([
    { path: 'store', message: 'swallows its failures. Create it with throwOnErrors: true.' },
  ]);
}

function swallows(adapter: object): boolean {
  return (adapter as { readonly throwOnErrors?: unknown }).throwOnErrors === false;
}
