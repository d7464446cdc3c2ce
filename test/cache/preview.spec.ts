import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { AsyncLocalStorage } from 'node:async_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isInPreview, runInPreview } from '../../libs/caching/src/cache/preview.js';
import { gate } from '../support/gate.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

describe('a preview', () => {
  afterEach(() => void jest.restoreAllMocks());

  it('is seen by what follows from it, though its function has answered, and by nothing else', async () => {
    const wait = gate();
    const seen: boolean[] = [];
    const done = gate();
    runInPreview(() => {
      void wait.opened.then(async () => {
        await new Promise(setImmediate);
        seen.push(isInPreview());
        done.open();
      });
    });
    expect(isInPreview()).toBe(false);
    collect();
    await new Promise(setImmediate);
    wait.open();
    await done.opened;
    expect([seen, isInPreview()]).toEqual([[true], false]);
  });

  it('costs nothing once all are over', async () => {
    const disable = jest.spyOn(AsyncLocalStorage.prototype, 'disable');
    const wait = gate();
    let long: Promise<boolean> | undefined = runInPreview(async () => {
      await wait.opened;
      return isInPreview();
    });
    await runInPreview(async () => Promise.resolve());
    const collected = async (): Promise<void> => {
      collect();
      await new Promise(setImmediate);
    };
    for (let turn = 0; turn < 20; turn += 1) await collected();
    expect(disable).not.toHaveBeenCalled();
    wait.open();
    expect(await long).toBe(true);
    long = undefined;
    // The collector takes its time on a busy machine.
    while (disable.mock.calls.length === 0) await collected();
    expect(await runInPreview(async () => Promise.resolve().then(isInPreview))).toBe(true);
  });
});
