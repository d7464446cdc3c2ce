import './require-node.mjs';

import { compile } from './compile.mjs';
import { installIfStale } from './install-if-stale.mjs';
import { main } from './step.mjs';

await main(async () => {
  await installIfStale('full');
  await compile();
});
