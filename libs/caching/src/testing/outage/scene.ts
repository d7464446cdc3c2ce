import { runInThisContext } from 'node:vm';
import type { ComplianceAssertion, ComplianceBackend } from '../compliance/subject.js';
import { TEST_TIMEOUT_MS } from '../compliance/trial.js';
import { TcpProxy } from '../tcp-proxy.js';
import { outcomeOf } from './operations.js';
import type { OutageOptions } from './subject.js';

/** The limit that backends are opened with: short for the tests' sake, long enough for a busy machine. */
export const LIMIT_MS = 600;

/** A test may wait for several limits, and for a server to start. */
const LONG_TEST_MS = 3 * TEST_TIMEOUT_MS;

/** What a test works with. */
export interface Scene {
  /** The network in front of the server. */
  readonly proxy: TcpProxy;
  readonly maxConnections: number;
  /** How many connections there are from this process, half closed ones included. */
  connections(): number;
  /** A backend on the server, closed after the test. @param limitMs by default {@link LIMIT_MS} */
  open(limitMs?: number): Promise<ComplianceBackend>;
  /** The server dies, and its port with it. */
  kill(): Promise<void>;
  start(): Promise<void>;
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  expect(actual: unknown): ComplianceAssertion;
}

export interface OutageSuite {
  describe(subject: string, body: () => void): void;
  test(promise: string, body: (scene: Scene) => Promise<void>): void;
}

/** After each test the server runs again, every backend is closed, and nothing that went wrong was left unhandled. */
export function createOutageSuite(options: OutageOptions): OutageSuite {
  const { runner } = options;
  const made: ComplianceBackend[] = [];
  const complaints: unknown[] = [];
  const note = (complaint: unknown) => void complaints.push(complaint);
  let proxy: TcpProxy | undefined;
  let isDown = false;

  const scene: Scene = {
    get proxy() {
      if (proxy === undefined) throw new Error('The proxy is there within tests only.');
      return proxy;
    },
    maxConnections: options.maxConnections ?? 1,
    connections: () => Math.max(scene.proxy.connections, socketsTo(scene.proxy.port)),
    async open(limitMs = LIMIT_MS) {
      const backend = await options.open(scene.proxy, limitMs);
      made.push(backend);
      return backend;
    },
    async kill() {
      isDown = true;
      await options.server().kill();
      await scene.proxy.refuse();
    },
    async start() {
      await options.server().start();
      await scene.proxy.listen();
      isDown = false;
    },
    freeze: async () => options.server().freeze(),
    thaw: async () => options.server().thaw(),
    expect: (actual) => runner.expect(actual),
  };

  runner.beforeEach(async () => {
    for (const event of COMPLAINTS) realProcess.on(event, note);
    proxy = await TcpProxy.open(options.server());
  }, TEST_TIMEOUT_MS);
  runner.afterEach(async () => {
    if (isDown) await scene.start();
    else await scene.thaw();
    const closed = await Promise.all(made.splice(0).map((backend) => outcomeOf(async () => backend.close())));
    await proxy?.close();
    proxy = undefined;
    await new Promise((resolve) => setImmediate(resolve));
    for (const event of COMPLAINTS) realProcess.off(event, note);
    runner.expect(closed.filter(({ status }) => status === 'rejected')).toEqual([]);
    runner.expect(complaints.splice(0)).toEqual([]);
  }, TEST_TIMEOUT_MS);

  return {
    describe: (subject, body) => void runner.describe(subject, body),
    test: (promise, body) => void runner.it(promise, () => body(scene), LONG_TEST_MS),
  };
}

/** Rejections and errors that nobody handled, and the warnings of leaking listeners. */
const COMPLAINTS = ['unhandledRejection', 'uncaughtException', 'warning'] as const;

/** A test runner may show a `process` of its own, which hears of none of them. */
const realProcess = runInThisContext('process') as NodeJS.Process & {
  _getActiveHandles(): readonly { readonly remotePort?: number }[];
};

/** A client that has said farewell and waits for the answer is gone for the proxy, and holds its socket still. */
function socketsTo(port: number): number {
  return realProcess._getActiveHandles().filter(({ remotePort }) => remotePort === port).length;
}
