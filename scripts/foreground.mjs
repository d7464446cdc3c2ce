import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

import { ROOT } from './step.mjs';

/** How often we look whether npm is still there, in milliseconds. */
const LOOK = 250;

/**
 * Runs a Node.js program in the foreground with our terminal and passes signals on. Answers the exit code as a shell
 * tells it: 128 + the signal's number for a program that a signal ended. `env` is added to our environment.
 */
export function foreground(args, { env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, ...env },
    });
    // In a terminal, Ctrl-C reaches the program by itself; a second SIGINT would look like an impatient user.
    const onInterrupt = () => process.stdin.isTTY || child.kill('SIGINT');
    const onTerminate = () => child.kill('SIGTERM');
    process.on('SIGINT', onInterrupt).on('SIGTERM', onTerminate).on('SIGHUP', onTerminate);
    const watch = onOrphaned(onTerminate);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearInterval(watch);
      process.off('SIGINT', onInterrupt).off('SIGTERM', onTerminate).off('SIGHUP', onTerminate);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}

/** A signal to npm alone ends npm or its shell, and neither passes it on to us. */
function onOrphaned(act) {
  const before = ancestors();
  const watch = setInterval(() => {
    if (ancestors() === before) return;
    clearInterval(watch);
    act();
  }, LOOK);
  return watch;
}

/** Our parent and, under npm, the parent of that: npm runs us through a shell. */
function ancestors() {
  if (process.env.npm_lifecycle_event === undefined) return '';
  return `${process.ppid} ${parentOf(process.ppid)}`;
}

function parentOf(pid) {
  try {
    return /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}
