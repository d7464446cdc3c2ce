import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { ComposeServer } from './compose.mjs';
import { findService } from './find.mjs';
import { Guard } from './guard.mjs';
import { give, RECIPES } from './recipes.mjs';
import { ServerProcess } from './server-process.mjs';

export { findService, provideServices, SERVICE_NAMES, skippedServices, TOOL_NAMES } from './find.mjs';

/** How long a server may take until it answers, in milliseconds. */
const START_LIMIT = 60_000;

/** Starts a server on a free port of the loopback interface, with temporary data, or uses the one at a URL. */
export async function startService(name, { args = [], own = args.length > 0 } = {}) {
  const place = await findService(name, { own });
  if (place.kind === 'url') return useServer(name, place);
  return new OwnService(name, place, args).launch();
}

/** A server that somebody else runs. */
async function useServer(name, { url, how }) {
  const { variable, version, port: usualPort } = RECIPES[name];
  const refuse = (what) => {
    throw new Error(
      `${what} is not for the server at ${variable}, which others may use. Start one with { own: true } for such a ` +
        `test, or unset ${variable}.`,
    );
  };
  const { hostname, port: givenPort } = new URL(url);
  const port = Number(givenPort || usualPort);
  const failed = (error) => {
    throw new Error(`${variable} is set, but no ${name} answers at ${hostname}:${port}: ${error.message}`);
  };
  return {
    name,
    url,
    how,
    host: hostname,
    port,
    version: await version(url).catch(failed),
    kill: async () => refuse('kill()'),
    start: async () => refuse('start()'),
    freeze: () => refuse('freeze()'),
    thaw: () => refuse('thaw()'),
    stop: async () => {},
  };
}

class OwnService {
  host = '127.0.0.1';
  #place;
  #args;
  #recipe;
  #folder;
  #server;
  #guard;

  constructor(name, place, args) {
    this.name = name;
    this.how = place.how;
    this.#place = place;
    this.#args = args;
    this.#recipe = RECIPES[name];
  }

  get url() {
    return this.#recipe.url(this.port);
  }

  async launch() {
    // PostgreSQL refuses to run as root, and no server needs it.
    const user = this.#place.kind === 'program' ? unprivilegedUser() : undefined;
    this.#folder = await mkdtemp(join(tmpdir(), `nestjs-caching-${this.name}-`));
    this.port = await freePort();
    this.#server = this.#createServer(user);
    this.#guard = new Guard(this.#folder, this.#recipe.stopSignal, this.#server.cleanUp);
    try {
      await give(this.#folder, user);
      if (this.#place.kind === 'program') {
        await this.#recipe.prepare({ programs: this.#place.programs, folder: this.#folder, user });
      }
      await this.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
    return this;
  }

  async start() {
    const settings = this.#place.kind === 'program' ? this.#recipe.command(this) : [];
    await this.#server.start([...settings, ...this.#args]);
    this.#guard.watch(this.#server.pid);
    this.version = await this.#untilReady();
  }

  get folder() {
    return this.#folder;
  }

  async kill() {
    await this.#server.kill();
    this.#guard.watch(undefined);
  }

  freeze() {
    this.#server.freeze();
  }

  thaw() {
    this.#server.thaw();
  }

  async stop() {
    if (this.#guard === undefined) return;
    const guard = this.#guard;
    this.#guard = undefined;
    await this.#server.stop();
    guard.watch(undefined);
    await guard.release();
  }

  #createServer(user) {
    if (this.#place.kind === 'compose') return new ComposeServer(this.name, this.port, this.#folder);
    const program = this.#place.programs[this.#recipe.programs[0]];
    return new ServerProcess(program, this.#folder, { user, stopSignal: this.#recipe.stopSignal });
  }

  async #untilReady() {
    const deadline = Date.now() + START_LIMIT;
    for (;;) {
      const { version, error } = await this.#recipe.version(this.url).then(
        (found) => ({ version: found }),
        (reason) => ({ error: reason }),
      );
      if (this.#server.hasEnded())
        throw new Error(`${this.name} ended at its start:\n${this.#server.lastWords()}`);
      if (version !== undefined) return version;
      if (Date.now() > deadline) {
        throw new Error(
          `${this.name} does not answer at ${this.url} after ${START_LIMIT} ms: ${error.message}`,
        );
      }
      await sleep(20);
    }
  }
}

function unprivilegedUser() {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}
