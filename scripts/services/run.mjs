import { spawn } from 'node:child_process';

/**
 * Runs a command to its end and answers what it printed. Rejects with the last lines of its output if it fails.
 * `user` is the `{ uid, gid }` that it runs as.
 */
export function run(command, args, { env, user, cwd } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: env ?? process.env,
      cwd,
      ...user,
    });
    let output = '';
    let printed = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      printed += chunk;
    });
    child.stderr.on('data', (chunk) => {
      printed += chunk;
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(output);
      const tail = printed.trim().split('\n').slice(-15).join('\n');
      reject(new Error(`${command} ${args.join(' ')} ended with ${signal ?? code}:\n${tail}`));
    });
  });
}
