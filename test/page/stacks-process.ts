import type { AccessReport } from '../../libs/caching/src/page/read-log.js';
import { PLATFORMS, type Platform } from '../support/test-app.js';
import { startTrackedApp } from '../support/tracked-app.js';
import { open, READS } from './reads.js';
import { PublicController, STACKS } from './stacks.js';

/**
 * Visits the routes of every stack, for access-tracking.stacks.spec.ts. A process of its own, because packages that
 * `require()` Nest do not load inside of Jest on Node 20.
 */
export interface Visit {
  readonly platform: Platform;
  readonly stack: string;
  readonly route: string;
  readonly status: number;
  readonly text: string;
  readonly report: AccessReport;
}

const PUBLIC = ['/json', '/text', '/observable', '/stream'];
const TRANSLATED = ['/by-context', '/by-decorator'];

for (const platform of PLATFORMS) {
  for (const { name, metadata, [platform]: configure } of STACKS) {
    const controllers = [...(metadata?.controllers ?? []), PublicController];
    const app = await startTrackedApp(platform, { ...metadata, controllers }, configure);
    const paths = controllers.length === 1 ? PUBLIC : [...PUBLIC, ...TRANSLATED];
    for (const path of paths) {
      for (const method of ['GET', 'HEAD']) {
        const headers = { cookie: 'theme=dark', 'accept-language': 'de', 'accept-encoding': 'gzip' };
        const { status, text, report } = await app.visit(path, { method, headers });
        const visit: Visit = {
          platform,
          stack: name,
          route: `${method} ${path}`,
          status,
          text: text.slice(0, 40),
          report,
        };
        process.send?.(visit);
      }
    }
    await app.close();
  }
  const app = await open(platform);
  for (const [path] of READS) {
    const { status, text, report } = await app.inject(path);
    const visit: Visit = { platform, stack: 'light-my-request', route: path, status, text, report };
    process.send?.(visit);
  }
  await app.close();
}
