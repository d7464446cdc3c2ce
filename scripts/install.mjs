import './require-node.mjs';

import { installIfStale } from './install-if-stale.mjs';
import { main } from './step.mjs';

await main(() => installIfStale('full'));
