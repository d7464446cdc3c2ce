import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Reads the id of the server's process from its input; when the input ends, ends the server and removes the folder.
 * The input ends with the process that holds the other end, however that ended.
 */
const SCRIPT = `
folder=$1; signal=$2; shift 2
trap '' INT HUP TERM
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
  children=$(cat "/proc/$pid/task/$pid/children" 2>/dev/null)
  kill -"$signal" "$pid"; kill -CONT "$pid" $children
  tries=0
  [ "$signal" = KILL ] || while kill -0 "$pid" && [ "$tries" -lt 20 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -KILL "$pid" $children
fi 2>/dev/null
[ $# -eq 0 ] || "$@" >/dev/null 2>&1
rm -rf "$folder"
`;

/** Sees to it that a server and its data do not outlive the tests: exit hooks do not run in a killed Jest worker. */
export class Guard {
  #child;

  constructor(folder, signal, cleanUp = []) {
    this.#child = spawn('sh', ['-c', SCRIPT, 'guard', folder, signal.replace('SIG', ''), ...cleanUp], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      cwd: '/',
    });
    this.#child.stdin.on('error', () => {});
    this.#child.stdin.unref();
    this.#child.unref();
  }

  /** The process to end. `undefined`: none at this time. */
  watch(pid) {
    this.#child.stdin.write(`${pid ?? ''}\n`);
  }

  /** Removes the data now. */
  async release() {
    this.#child.ref();
    const exit = once(this.#child, 'exit');
    this.#child.stdin.end();
    await exit;
  }
}
