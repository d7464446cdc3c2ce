import './require-node.mjs';

import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { compile } from './compile.mjs';
import { installIfStale } from './install-if-stale.mjs';
import { main, ROOT } from './step.mjs';

/** npm packs these from the folder of the package only, where they lie for as long as that takes. */
const COPIED = ['README.md', 'LICENSE', 'CONTRIBUTING.md', 'docs'];

// Before npm packs the library, and with `done` after it.
await main(async () => {
  const copyOf = (name) => join(ROOT, 'libs/caching', name);
  if (process.argv[2] === 'done') {
    for (const name of COPIED) rmSync(copyOf(name), { force: true, recursive: true });
    return;
  }
  await installIfStale('full');
  await compile();
  for (const name of COPIED) cpSync(join(ROOT, name), copyOf(name), { recursive: true });
});
