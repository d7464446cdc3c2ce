import type { ComplianceBackend } from '../compliance/subject.js';
import { atOnce, bytes, LONG_MS, show, TEST_TIMEOUT_MS } from '../compliance/trial.js';
import { eventually, failing, operationsOf, outcomeOf, serves } from './operations.js';
import { LIMIT_MS, type OutageSuite, type Scene } from './scene.js';

/** What a backend does while its server is away, and after that. Nothing here knows of deadlines but its own. */
export function describeBackendOutages(suite: OutageSuite): void {
  describeDown(suite);
  describeKilled(suite);
  describeFrozen(suite);
  describeSlow(suite);
  describeNetwork(suite);
  describeClosing(suite);
}

function describeDown({ describe, test }: OutageSuite): void {
  describe('a server that is down at the start', () => {
    test('fails every operation, the first as the later, and serves when it is there', async (scene) => {
      await scene.kill();
      const backend = await scene.open();
      await expectAllToFail(scene, backend);
      await expectAllToFail(scene, backend);
      await scene.start();
      await eventually(() => serves(backend));
    });

    test('does not keep close() waiting', async (scene) => {
      await scene.kill();
      const backend = await scene.open();
      await expectAllToFail(scene, backend);
      await expectToClose(scene, backend);
    });
  });
}

function describeKilled({ describe, test }: OutageSuite): void {
  describe('a server that is killed', () => {
    test('lets what is under way settle, fails what comes, and serves when it is back', async (scene) => {
      const backend = await opened(scene);
      await scene.freeze();
      const underWay = atOnce(100, (n) => outcomeOf(() => backend.set(`app:${n}`, bytes('x'), LONG_MS)));
      await scene.kill();
      scene.expect((await underWay).length).toBe(100);
      await expectAllToFail(scene, backend);
      await scene.start();
      await eventually(() => serves(backend));
    });

    test('and is back before anybody asked serves again', async (scene) => {
      const backend = await opened(scene);
      await scene.kill();
      await scene.start();
      await eventually(() => serves(backend));
    });

    test('never makes one answer pass for another', async (scene) => {
      const backend = await opened(scene);
      await atOnce(20, (n) => backend.set(`own:${n}`, bytes(`payload ${n}`), LONG_MS));
      const reading = atOnce(
        200,
        async (n) => [n % 20, await outcomeOf(() => backend.get(`own:${n % 20}`))] as const,
      );
      await scene.kill();
      for (const [n, outcome] of await reading) expectOwn(scene, outcome, `payload ${n}`);
      await scene.start();
      await eventually(() => serves(backend));
      for (let n = 0; n < 20; n += 1) {
        expectOwn(scene, await outcomeOf(() => backend.get(`own:${n}`)), `payload ${n}`);
      }
    });
  });
}

function describeFrozen({ describe, test }: OutageSuite): void {
  describe('a frozen server', () => {
    test('fails every operation in time, and serves when it moves again', async (scene) => {
      const backend = await opened(scene);
      await scene.freeze();
      await eventuallyAllFail(backend);
      await expectAllToFail(scene, backend);
      await scene.thaw();
      await eventually(() => serves(backend));
    });

    test('fails what needs a new connection, in time', async (scene) => {
      await eventuallyFrozen(scene);
      const backend = await scene.open();
      await expectAllToFail(scene, backend);
      await scene.thaw();
      await eventually(() => serves(backend));
    });

    test('gets no more connections, however much is given up', async (scene) => {
      const backend = await opened(scene);
      await scene.freeze();
      for (let turn = 0; turn < 3; turn += 1) await failing(backend);
      await eventually(() => scene.connections() <= scene.maxConnections);
    });
  });
}

function describeSlow({ describe, test }: OutageSuite): void {
  describe('a slow server', () => {
    test('is waited for within the limit', async (scene) => {
      const backend = await opened(scene);
      await backend.set('app:slow', bytes('payload'), LONG_MS);
      scene.proxy.delay(LIMIT_MS / 20);
      scene.expect(show(await backend.get('app:slow'))).toBe(show(bytes('payload')));
      scene.expect(await failing(backend)).toEqual([]);
    });

    test('is given up past the limit, and serves when it is fast again', async (scene) => {
      const backend = await opened(scene);
      scene.proxy.delay(LIMIT_MS * 3);
      await expectAllToFail(scene, backend);
      scene.proxy.heal();
      await eventually(() => serves(backend));
    });
  });
}

function describeNetwork({ describe, test }: OutageSuite): void {
  describe('a broken network', () => {
    for (const length of [0, 1, 3, 10, 100, 5_000]) {
      test(`that ends an answer after ${length} bytes gives no payload or all of it`, async (scene) => {
        const backend = await opened(scene);
        const text = 'payload '.repeat(2_500);
        await backend.set('app:large', bytes(text), LONG_MS);
        scene.proxy.cutAfter(length);
        expectOwn(scene, await outcomeOf(() => backend.get('app:large')), text);
        scene.proxy.heal();
        await eventually(async () => {
          const outcome = await outcomeOf(() => backend.get('app:large'));
          expectOwn(scene, outcome, text);
          return outcome.status === 'fulfilled';
        });
      });
    }

    test('that loses everything without a word fails every operation in time', async (scene) => {
      const backend = await opened(scene);
      scene.proxy.mute();
      await expectAllToFail(scene, backend);
      await expectAllToFail(scene, backend);
      scene.proxy.heal();
      await eventually(() => serves(backend));
    });

    test('that comes and goes under traffic leaves no connection behind', async (scene) => {
      const backend = await opened(scene);
      for (let turn = 0; turn < 15; turn += 1) {
        const underWay = failing(backend);
        await scene.proxy.refuse();
        await underWay;
        await scene.proxy.listen();
        await failing(backend);
      }
      await eventually(() => serves(backend));
      scene.expect(scene.connections()).toBeLessThanOrEqual(scene.maxConnections);
    });
  });
}

function describeClosing({ describe, test }: OutageSuite): void {
  describe('close()', () => {
    test('ends on a frozen server, and fails what is under way', async (scene) => {
      const backend = await opened(scene);
      await scene.freeze();
      await eventuallyAllFail(backend);
      const underWay = failing(backend);
      await expectToClose(scene, backend);
      scene.expect(await underWay).toEqual(operationsOf(backend));
      await expectAllToFail(scene, backend);
    });

    test('does not wait for the limits of what is under way', async (scene) => {
      const backend = await scene.open(TEST_TIMEOUT_MS);
      await eventually(() => serves(backend));
      await scene.freeze();
      // The signal takes a moment, so that some of it may still be answered.
      const underWay = failing(backend);
      await expectToClose(scene, backend);
      await underWay;
    });

    test('ends while a connection is being made', async (scene) => {
      scene.proxy.mute();
      const backend = await scene.open();
      const underWay = failing(backend);
      await eventually(() => scene.connections() > 0);
      await expectToClose(scene, backend);
      scene.expect(await underWay).toEqual(operationsOf(backend));
    });

    test('ends all attempts to find the server again', async (scene) => {
      const backend = await opened(scene);
      await scene.proxy.refuse();
      await failing(backend);
      await expectToClose(scene, backend);
      await scene.proxy.listen();
      await expectAllToFail(scene, backend);
      scene.expect(scene.connections()).toBe(0);
    });
  });
}

/** A backend that is connected. */
async function opened(scene: Scene): Promise<ComplianceBackend> {
  const backend = await scene.open();
  await eventually(() => serves(backend));
  return backend;
}

async function expectAllToFail(scene: Scene, backend: ComplianceBackend): Promise<void> {
  scene.expect(await failing(backend)).toEqual(operationsOf(backend));
}

/** A signal takes a moment to reach all threads and processes of a server. */
async function eventuallyAllFail(backend: ComplianceBackend): Promise<void> {
  const all = operationsOf(backend).length;
  await eventually(async () => (await failing(backend)).length === all);
}

async function eventuallyFrozen(scene: Scene): Promise<void> {
  const probe = await opened(scene);
  await scene.freeze();
  await eventuallyAllFail(probe);
  await expectToClose(scene, probe);
}

async function expectToClose(scene: Scene, backend: ComplianceBackend): Promise<void> {
  scene.expect((await outcomeOf(async () => backend.close())).status).toBe('fulfilled');
  await eventually(() => scene.connections() === 0);
}

/** A failure, nothing (the server may have lost it), or what was written; never anything else. */
function expectOwn(scene: Scene, outcome: PromiseSettledResult<unknown>, text: string): void {
  if (outcome.status === 'rejected' || outcome.value === undefined) return;
  scene.expect(show(outcome.value)).toBe(show(bytes(text)));
}
