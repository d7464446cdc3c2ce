import type { Suite } from './suite.js';
import { atOnce, bytes, LONG_MS, range, SHORT_MS, show } from './trial.js';

/** Atomic operations of many callers on one key. */
export function describeRaces({ describe, test }: Suite): void {
  const won = (answers: readonly boolean[]) => answers.flatMap((answer, index) => (answer ? [index] : []));

  describe('of many callers at once', () => {
    test('one adds', ['stores', 'add'], async ({ backend, expect, expectHeld }) => {
      const winners = won(await atOnce(100, (n) => backend.add('race:key', n, LONG_MS)));
      expect(winners.length).toBe(1);
      await expectHeld('race:key', winners[0]);
    });

    test(
      'one adds, over two instances',
      ['stores', 'shared atomicity'],
      async ({ backend, other, expect, expectHeld }) => {
        for (const round of range(5)) {
          const key = `race:${round}`;
          const winners = won(await atOnce(40, (n) => (n % 2 === 0 ? backend : other).add(key, n, LONG_MS)));
          expect(winners.length).toBe(1);
          await expectHeld(key, winners[0]);
        }
      },
    );

    test(
      'one adds over an expired entry, over two instances',
      ['stores', 'shared atomicity'],
      async (trial) => {
        const { backend, other, expect, expectHeld, outlive } = trial;
        await backend.set('race:key', bytes('old'), SHORT_MS);
        await outlive(SHORT_MS);
        const winners = won(
          await atOnce(40, (n) => (n % 2 === 0 ? backend : other).add('race:key', n, LONG_MS)),
        );
        expect(winners.length).toBe(1);
        await expectHeld('race:key', winners[0]);
      },
    );

    test('one compares and sets', ['stores', 'compareAndSet'], async ({ backend, expect, expectHeld }) => {
      await backend.set('race:key', bytes('old'), LONG_MS);
      const winners = won(
        await atOnce(50, (n) => backend.compareAndSet('race:key', bytes('old'), n, LONG_MS)),
      );
      expect(winners.length).toBe(1);
      await expectHeld('race:key', winners[0]);
    });

    test('one compares and sets, over two instances', ['stores', 'shared atomicity'], async (trial) => {
      const { backend, other, expect } = trial;
      await backend.set('race:key', bytes('old'), LONG_MS);
      const winners = won(
        await atOnce(50, (n) =>
          (n % 2 === 0 ? backend : other).compareAndSet('race:key', bytes('old'), n, LONG_MS),
        ),
      );
      expect(winners.length).toBe(1);
      expect(show(await other.get('race:key'))).toBe(show(winners[0]));
    });

    test('one compares and deletes', ['stores', 'compareAndDelete'], async ({ backend, expect }) => {
      await backend.set('race:key', bytes('old'), LONG_MS);
      const answers = await atOnce(50, () => backend.compareAndDelete('race:key', bytes('old')));
      expect(won(answers).length).toBe(1);
    });
  });
}
