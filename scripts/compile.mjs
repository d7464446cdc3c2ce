import { join } from 'node:path';

import { withLock } from './services/lock.mjs';
import { ROOT, runNode, step } from './step.mjs';

const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
const LOCK = join(ROOT, 'node_modules/.cache/nestjs-caching/build.lock');

/** Compiles the library and the sample; what is current stays as it is. */
export async function compile(flags = []) {
  // Two at once would write into files that the other one runs.
  await withLock(LOCK, () =>
    step('Building', () => runNode([TSC, '-b', 'apps/sample/tsconfig.app.json', ...flags])),
  );
}
