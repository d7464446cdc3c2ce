import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { RECIPES } from './recipes.mjs';
import { run } from './run.mjs';

const COMPOSE_FILE = join(import.meta.dirname, '../../docker-compose.yml');

/** Data in a volume: a folder of the host would fill with files of the container's user. */
const VOLUME = 'tests';

/** Whether `docker compose` is there and an engine answers it. */
export async function isAvailable() {
  try {
    await run('docker', ['compose', 'version']);
    await run('docker', ['info']);
    return true;
  } catch {
    return false;
  }
}

/** A container of docker-compose.yml in a project of its own, with the interface of a {@link ServerProcess}. */
export class ComposeServer {
  #name;
  #docker;
  #env;
  #override;

  constructor(name, port, folder) {
    const project = `nestjs-caching-${process.pid}-${port}`;
    this.#name = name;
    this.#docker = ['compose', '-p', project, '-f', COMPOSE_FILE, '-f', join(folder, 'compose.json')];
    const key = name.toUpperCase();
    this.#env = {
      ...process.env,
      BIND_ADDRESS: '127.0.0.1',
      [`${key}_PORT`]: String(port),
      [`${key}_DATA`]: VOLUME,
    };
    this.#override = join(folder, 'compose.json');
  }

  /** What removes the containers and their data when this process is gone. */
  get cleanUp() {
    return ['docker', ...this.#docker, 'down', '--volumes', '--timeout', '0'];
  }

  async start(args) {
    const { command, environment } = RECIPES[this.#name].image;
    const service = { command: [...command, ...args], environment, restart: 'no' };
    const override = { services: { [this.#name]: service }, volumes: { [VOLUME]: {} } };
    await writeFile(this.#override, JSON.stringify(override));
    await this.#run('up', '--detach', '--wait', this.#name);
  }

  hasEnded() {
    return false;
  }

  async kill() {
    await this.#run('kill', this.#name);
  }

  async stop() {
    await this.#run('down', '--volumes', '--timeout', '0');
  }

  freeze() {
    execFileSync('docker', [...this.#docker, 'pause', this.#name], { env: this.#env, stdio: 'ignore' });
  }

  thaw() {
    execFileSync('docker', [...this.#docker, 'unpause', this.#name], { env: this.#env, stdio: 'ignore' });
  }

  #run(...args) {
    return run('docker', [...this.#docker, ...args], { env: this.#env });
  }
}
