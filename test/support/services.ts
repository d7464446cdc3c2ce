import { appendFileSync } from 'node:fs';

import { afterAll, beforeAll, beforeEach, describe, expect } from '@jest/globals';

import {
  type Service,
  type ServiceName,
  type ServiceOptions,
  skippedServices,
  type ToolName,
  startService as start,
} from '../../scripts/services/index.mjs';

export type { Service, ServiceName, ServiceOptions } from '../../scripts/services/index.mjs';

/** Long enough for an installation by apt-get, in milliseconds. */
const START_TIMEOUT = 300_000;

/**
 * A server of its own for this spec, on a free loopback port with temporary data, or the one at a URL of the
 * environment. Specs that kill, freeze or fill a server ask for `{ own: true }`. Call it in `beforeAll` and `stop()` it
 * in `afterAll`; {@link describeService} does both.
 *
 * @throws Error that names the choices, if there is no such server, and if SKIP_SERVICES names it
 */
export async function startService(name: ServiceName, options: ServiceOptions = {}): Promise<Service> {
  const service = await startUncounted(name, options);
  report({ name, version: service.version, how: service.how });
  return service;
}

/** A `describe` around a server of its own. With SKIP_SERVICES naming the service its tests are skipped, in print. */
export function describeService(
  name: ServiceName,
  body: (service: () => Service) => void,
  options: ServiceOptions = {},
): void {
  if (isLeftOut(name)) {
    describe.skip(`on ${name}`, () => body(notStarted(name)));
    return;
  }
  describe(`on ${name}`, () => {
    let service: Service | undefined;
    let tests = 0;
    beforeAll(async () => {
      service = await startUncounted(name, options);
    }, START_TIMEOUT);
    beforeEach(() => {
      tests += 1;
    });
    afterAll(async () => {
      if (service !== undefined) report({ name, version: service.version, how: service.how, tests });
      await service?.stop();
    }, START_TIMEOUT);
    body(() => service ?? notStarted(name)());
  });
}

/** The `describe` of tests that start their servers by hand: with SKIP_SERVICES naming the service, they are skipped, in print. */
export function describeWith(name: ServiceName): typeof describe | typeof describe.skip {
  return isLeftOut(name) ? describe.skip : describe;
}

/** Whether SKIP_SERVICES names a service or a tool, in print. */
export function isLeftOut(name: ServiceName | ToolName): boolean {
  if (!skippedServices().includes(name)) return false;
  process.stderr.write(`SKIP_SERVICES: the tests against ${name} are left out\n`);
  report({ name, isSkipped: true });
  return true;
}

async function startUncounted(name: ServiceName, options: ServiceOptions): Promise<Service> {
  if (skippedServices().includes(name)) {
    throw new Error(
      `SKIP_SERVICES names ${name}, and this spec starts it. Use describeService() for such tests.`,
    );
  }
  return start(name, options);
}

function notStarted(name: ServiceName): () => never {
  return () => {
    throw new Error(
      `${name} is not started yet. Ask for it in a hook or a test, not while the tests are defined.`,
    );
  };
}

/** For scripts/service-reporter.mjs, which prints what the tests really ran against. */
export function report(line: object): void {
  const file = process.env.TEST_SERVICE_LOG;
  if (file === undefined) return;
  appendFileSync(file, `${JSON.stringify({ ...line, testPath: expect.getState().testPath })}\n`);
}
