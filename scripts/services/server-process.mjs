import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { isAlive } from './lock.mjs';

/** How long a server may take to end after its stop signal, in milliseconds. */
const STOP_LIMIT = 5000;

/** A server program that this process started. */
export class ServerProcess {
  #child;
  #log;

  constructor(program, folder, { user, stopSignal }) {
    this.program = program;
    this.folder = folder;
    this.user = user;
    this.stopSignal = stopSignal;
    this.#log = join(folder, 'log');
  }

  get pid() {
    return this.#child?.pid;
  }

  async start(args) {
    const log = openSync(this.#log, 'a');
    // In a session of its own: Ctrl-C in the terminal is for the tests, which then end the server.
    this.#child = spawn(this.program, args, {
      stdio: ['ignore', log, log],
      detached: true,
      cwd: this.folder,
      ...this.user,
    });
    closeSync(log);
    await once(this.#child, 'spawn');
    this.#child.unref();
  }

  /** Whether the server ended by itself. */
  hasEnded() {
    return this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** The last lines that the server printed. */
  lastWords() {
    return readFileSync(this.#log, 'utf8').trim().split('\n').slice(-10).join('\n');
  }

  /** SIGKILL for the server and its children; resolves when they are gone. */
  async kill() {
    await this.#end('SIGKILL');
  }

  async stop() {
    await this.#end(this.stopSignal);
  }

  freeze() {
    this.#signal('SIGSTOP', this.#tree());
  }

  thaw() {
    this.#signal('SIGCONT', this.#tree());
  }

  async #end(signal) {
    if (this.hasEnded()) return;
    this.#child.ref();
    const exit = once(this.#child, 'exit');
    // Stopped first, so that it starts no child between the look and the signal.
    this.#signal('SIGSTOP', [this.pid]);
    const tree = this.#tree();
    this.#signal(signal, signal === 'SIGKILL' ? tree : [this.pid]);
    this.#signal('SIGCONT', tree);
    const limit = setTimeout(() => this.#signal('SIGKILL', tree), STOP_LIMIT);
    await exit;
    clearTimeout(limit);
    while (tree.some(isRunning)) await sleep(5);
  }

  #signal(signal, pids) {
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        if (error.code !== 'ESRCH') throw error;
      }
    }
  }

  /** The server and its children. PostgreSQL's are in process groups of their own, so the group is not enough. */
  #tree() {
    if (this.hasEnded()) return [];
    return [this.pid, ...childrenOf(this.pid)];
  }
}

function childrenOf(pid) {
  try {
    const children =
      process.platform === 'linux'
        ? readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
        : execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' });
    return (children.match(/\d+/g) ?? []).map(Number);
  } catch {
    return [];
  }
}

/** A child that nobody has reaped yet exists still, but runs no more. */
function isRunning(pid) {
  if (!isAlive(pid)) return false;
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return process.platform !== 'linux';
  }
}
