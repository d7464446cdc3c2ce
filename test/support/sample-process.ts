import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

const ROOT = new URL('../../', import.meta.url).pathname;

/** The sample application in a process of its own, as `npm start` runs it. */
export interface SampleProcess {
  readonly port: string;
  /** What it printed at its start. */
  readonly guide: string;
  /** Resolves when the process has ended. A second call does nothing. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** The body of a GET. @throws Error if the status is not 200 */
  read(path: string): Promise<string>;
  /** How often the upstream had been asked when it made what a GET answers. */
  sequence(path: string): Promise<number>;
}

/** Compiles what is not current. Call it in `beforeAll`. */
export async function buildSample(): Promise<void> {
  const child = spawn(process.execPath, ['scripts/build.mjs'], { cwd: ROOT, stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number];
  if (code !== 0) throw new Error(`scripts/build.mjs ended with ${code}`);
}

/** Starts it on a free port unless the environment names one; resolves when it has printed its guide. */
export async function startSample(environment: Record<string, string>): Promise<SampleProcess> {
  const port = environment['PORT'] ?? String(await freePort());
  const env = { ...process.env, NODE_OPTIONS: '', UPSTREAM_DELAY: '300', ...environment, PORT: port };
  const child = spawn(process.execPath, ['apps/sample/dist/main.js'], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => (complaints += String(chunk)));
  child.stderr.pipe(process.stderr, { end: false });
  let guide = '';
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    guide += String(chunk);
    if (guide.includes('Ctrl-C')) break;
  }
  if (!guide.includes('Ctrl-C')) {
    await once(child, 'close');
    throw new Error(`the sample ended at its start with code ${child.exitCode}: ${guide}${complaints}`);
  }
  // The same name as in the guide's URLs: a page belongs to its host.
  const base = `http://localhost:${port}`;
  const get = async (path: string): Promise<string> => {
    const response = await fetch(base + path);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`GET ${path} answered ${response.status}: ${text}`);
    return text;
  };
  return {
    port,
    guide,
    fetch: (path, init) => fetch(base + path, init),
    read: get,
    sequence: async (path) => (JSON.parse(await get(path)) as { sequence: number }).sequence,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      await ended;
    },
  };
}

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return String(port);
}
