import { AsyncLocalStorage } from 'node:async_hooks';

const previews = new AsyncLocalStorage<object>();
let running = 0;

/**
 * Nobody says when a preview is over: a middleware runs one around `next`, which answers long before the request does. So
 * each has an object that lives as long as something may still run in it. When the last one is gone, the storage goes off,
 * as `TransientStorage` does.
 */
const ended = new FinalizationRegistry(() => {
  running -= 1;
  if (running === 0) previews.disable();
});

/** Runs something in which, and in all that follows from it, every fragment is rendered anew and nothing is stored. */
export function runInPreview<R>(run: () => R): R {
  const preview = {};
  running += 1;
  ended.register(preview, undefined);
  return previews.run(preview, run);
}

export function isInPreview(): boolean {
  return running > 0 && previews.getStore() !== undefined;
}
