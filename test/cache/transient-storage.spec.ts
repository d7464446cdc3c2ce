import { describe, expect, it } from '@jest/globals';
import { TransientStorage } from '../../libs/caching/src/cache/transient-storage.js';
import { gate } from '../support/gate.js';

describe('TransientStorage', () => {
  it('is found by what runs inside, side by side and one in another', async () => {
    const storage = new TransientStorage<string>();
    const [one, two] = [gate(), gate()];
    const seen: (string | undefined)[] = [];
    const running = [
      storage.run('outer', async () => {
        await one.opened;
        await storage.run('inner', async () => {
          await Promise.resolve();
          seen.push(storage.getStore());
        });
        seen.push(storage.getStore());
      }),
      storage.run('beside', async () => {
        await two.opened;
        seen.push(storage.getStore());
      }),
    ];
    one.open();
    await running[0];
    two.open();
    await running[1];
    expect(seen).toEqual(['inner', 'outer', 'beside']);
  });

  it('is empty outside, also after a failure and for what has outlived its run', async () => {
    const storage = new TransientStorage<string>();
    const late = gate();
    let left: Promise<string | undefined> | undefined;
    await expect(
      storage.run('store', async () => {
        left = late.opened.then(() => storage.getStore());
        throw new Error('failed');
      }),
    ).rejects.toThrow('failed');
    late.open();
    expect([storage.getStore(), await left]).toEqual([undefined, undefined]);
    expect(await storage.run('again', async () => storage.getStore())).toBe('again');
  });
});
