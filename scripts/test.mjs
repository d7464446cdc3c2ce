import './require-node.mjs';

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { foreground } from './foreground.mjs';
import { installIfStale } from './install-if-stale.mjs';
import { provideServices, SERVICE_NAMES, skippedServices, TOOL_NAMES } from './services/index.mjs';
import { main, ROOT, step } from './step.mjs';

const args = process.argv.slice(2);

await main(async () => {
  await installIfStale('full');
  // A run of some specs looks for the servers and tools only when a spec asks for one.
  if (args.every((arg) => arg.startsWith('-'))) {
    const skipped = skippedServices();
    const needed = [...SERVICE_NAMES, ...TOOL_NAMES].filter((name) => !skipped.includes(name));
    if (needed.length > 0) await step(`Looking for ${needed.join(', ')}`, () => provideServices(needed));
  }
  process.exitCode = await runJest();
});

async function runJest() {
  const folder = mkdtempSync(join(tmpdir(), 'nestjs-caching-test-'));
  try {
    const jest = join(ROOT, 'node_modules/jest/bin/jest.js');
    const reporter = join(import.meta.dirname, 'service-reporter.mjs');
    const closing = join(folder, 'closing-lines');
    const env = {
      NODE_OPTIONS: nodeOptions(),
      TEST_SERVICE_LOG: join(folder, 'services'),
      TEST_CLOSING_LINES: closing,
    };
    // Last: the option takes every word that follows.
    const code = await foreground([jest, ...args, '--reporters=default', `--reporters=${reporter}`], { env });
    printIfThere(closing);
    return code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** After Jest's own summary, which no reporter of ours can follow. */
function printIfThere(file) {
  if (existsSync(file)) process.stdout.write(`\n${readFileSync(file, 'utf8')}`);
}

/** Jest runs ES modules only with this flag, and Node.js warns of it once in every worker. */
function nodeOptions() {
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  return [process.env.NODE_OPTIONS, ...flags].filter((part) => part !== undefined && part !== '').join(' ');
}
