import { AsyncLocalStorage } from 'node:async_hooks';

const previews = new AsyncLocalStorage<true>();

/** Runs something in which every fragment is rendered anew and none is stored. */
export function runInPreview<R>(run: () => R): R {
  return previews.run(true, run);
}

export function isInPreview(): boolean {
  return previews.getStore() === true;
}
