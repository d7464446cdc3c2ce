import type { Suite } from './suite.js';
import { bytes, LONG_MS, range } from './trial.js';

const ATOMIC = ['add', 'increment', 'touch', 'compareAndSet', 'compareAndDelete'] as const;

/** `close()`. */
export function describeClosing({ describe, test }: Suite): void {
  describe('close', () => {
    test('may come before anything else', [], async ({ backend, expect }) => {
      expect(await backend.close()).toBe(undefined);
    });

    test('may come twice, also at once', [], async ({ backend, expect }) => {
      await backend.set('close:key', 1, LONG_MS);
      expect(await Promise.all([backend.close(), backend.close()])).toEqual([undefined, undefined]);
      expect(await backend.close()).toBe(undefined);
    });

    test('lets everything under way settle', ['stores'], async ({ backend, expect }) => {
      const underWay = range(50).map(async (n) => backend.set(`close:${n}`, bytes(`payload ${n}`), LONG_MS));
      const settled = Promise.allSettled(underWay);
      await backend.close();
      expect((await settled).length).toBe(50);
    });

    test('makes every later operation fail', ['stores'], async ({ backend, failureOf }) => {
      await backend.set('close:key', 1, LONG_MS);
      await backend.close();
      await failureOf(() => backend.get('close:key'));
      await failureOf(() => backend.set('close:key', 1, LONG_MS));
      await failureOf(() => backend.delete('close:key'));
      await failureOf(() => backend.ttl('close:key'));
      await failureOf(() => backend.clear('close:'));
    });

    test('makes atomic operations fail', ['stores', ...ATOMIC], async (trial) => {
      const { backend, failureOf } = trial;
      await backend.set('close:key', 1, LONG_MS);
      await backend.close();
      await failureOf(() => backend.add('close:key', 1, LONG_MS));
      await failureOf(() => backend.increment('close:key', 1, 0, LONG_MS));
      await failureOf(() => backend.touch('close:key', LONG_MS));
      await failureOf(() => backend.compareAndSet('close:key', 1, 2, LONG_MS));
      await failureOf(() => backend.compareAndDelete('close:key', 1));
    });

    test('makes bulk operations fail', ['stores', 'getMany', 'setMany', 'deleteMany'], async (trial) => {
      const { backend, failureOf } = trial;
      await backend.set('close:key', 1, LONG_MS);
      await backend.close();
      await failureOf(() => backend.getMany(['close:key']));
      await failureOf(() => backend.setMany([{ key: 'close:key', payload: 1, ttlMs: null }]));
      await failureOf(() => backend.deleteMany(['close:key']));
    });

    test('makes listing fail', ['stores', 'lists'], async ({ backend, failureOf }) => {
      await backend.set('close:key', 1, LONG_MS);
      await backend.close();
      await failureOf(async () => {
        for await (const key of backend.keys('close:')) return key;
        return undefined;
      });
    });
  });
}
