import './require-node.mjs';

import { compile } from './compile.mjs';
import { foreground } from './foreground.mjs';
import { installIfStale } from './install-if-stale.mjs';
import { main } from './step.mjs';

await main(async () => {
  await installIfStale('production');
  await compile(['--noCheck']);
  process.exitCode = await foreground(['apps/sample/dist/main.js']);
});
