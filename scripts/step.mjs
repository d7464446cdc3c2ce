import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { PlainError } from './plain-error.mjs';

export const ROOT = join(import.meta.dirname, '..');

/** Runs `work` and prints one line: the label, and the seconds it took. */
export async function step(label, work) {
  const started = performance.now();
  process.stdout.write(`${label} … `);
  try {
    await work();
    console.log(seconds(started));
  } catch (error) {
    console.log(`failed after ${seconds(started)}`);
    throw error;
  }
}

function seconds(started) {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}

/** Runs a Node.js program quietly. Rejects with all that it printed if it fails. */
export function runNode(args) {
  return capture(process.execPath, args);
}

/** Runs npm quietly: the one that runs this script, or else the one on the PATH. */
export function runNpm(args) {
  const npm = process.env.npm_execpath;
  if (npm !== undefined && /npm-cli\.c?js$/.test(npm)) return capture(process.execPath, [npm, ...args]);
  return capture('npm', args, { shell: process.platform === 'win32' });
}

function capture(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve(printed);
      else
        reject(
          new PlainError(`${command} ${args.join(' ')} ended with ${signal ?? code}:\n${printed.trim()}`),
        );
    });
  });
}

/** Runs a script's main function: an error becomes a message and exit code 1. */
export async function main(work) {
  try {
    await work();
  } catch (error) {
    console.error(error instanceof PlainError ? error.message : error);
    process.exitCode = 1;
  }
}
