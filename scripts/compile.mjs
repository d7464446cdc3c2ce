import { join } from 'node:path';

import { ROOT, runNode, step } from './step.mjs';

const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

/** Compiles the library and the sample; what is current stays as it is. */
export async function compile(flags = []) {
  await step('Building', () => runNode([TSC, '-b', 'apps/sample/tsconfig.app.json', ...flags]));
}
