import './require-node.mjs';

import { compile } from './compile.mjs';
import { foreground } from './foreground.mjs';
import { installIfStale } from './install-if-stale.mjs';
import { main } from './step.mjs';

await main(async () => {
  await installIfStale('full');
  await compile();
  process.exitCode = await foreground(['--expose-gc', 'bench/run.mjs', ...process.argv.slice(2)]);
});
