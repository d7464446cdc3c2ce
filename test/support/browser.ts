import { afterAll, beforeAll, beforeEach, describe } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer, { type Browser } from 'puppeteer-core';
import { findService } from '../../scripts/services/index.mjs';
import { isLeftOut, report } from './services.js';

/** Long enough for an installation by apt-get, in milliseconds. */
const START_TIMEOUT = 300_000;

/** Quiet on the network but for what a page asks for; a container lets no sandbox be made. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A `describe` around a headless Chromium. With SKIP_SERVICES naming chromium its tests are skipped, in print. */
export function describeBrowser(title: string, body: (browser: () => Browser) => void): void {
  if (isLeftOut('chromium')) {
    describe.skip(title, () => body(notStarted));
    return;
  }
  describe(title, () => {
    let browser: Browser | undefined;
    let folder = '';
    let how = '';
    let tests = 0;
    beforeAll(async () => {
      const place = await findService('chromium');
      how = place.how;
      folder = await mkdtemp(join(tmpdir(), 'nestjs-caching-chromium-'));
      browser = await puppeteer.launch({
        executablePath: place.url ?? place.programs?.['chromium'] ?? 'chromium',
        userDataDir: folder,
        args: FLAGS,
      });
    }, START_TIMEOUT);
    beforeEach(() => {
      tests += 1;
    });
    afterAll(async () => {
      if (browser !== undefined) {
        const version = (await browser.version()).replace(/^.*\//, '');
        report({ name: 'chromium', version, how, tests });
      }
      await browser?.close();
      if (folder !== '') await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    }, START_TIMEOUT);
    body(() => browser ?? notStarted());
  });
}

function notStarted(): never {
  throw new Error('The browser is not started yet. Ask for it in a hook or a test.');
}
