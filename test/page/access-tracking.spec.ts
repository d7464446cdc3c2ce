import { afterEach, describe, expect, it } from '@jest/globals';
import { PLATFORMS } from '../support/test-app.js';
import type { TrackedApp } from '../support/tracked-app.js';
import { open, READS, shutGate } from './reads.js';

let app: TrackedApp;
afterEach(() => app.close());

describe.each(PLATFORMS)('access tracking on %s', (platform) => {
  it('notes what handlers, decorators, pipes, inner interceptors and views read, and nothing else', async () => {
    app = await open(platform);
    for (const [path, identity, headers] of READS) {
      const { status, report } = await app.visit(path, { headers: { 'x-flag': 'f', 'x-other': 'o' } });
      // A stream on Fastify is made after `send`; elsewhere everything is early.
      const { late } = report;
      const read = {
        identity: [...report.identity, ...late.identity],
        headers: [...report.headers, ...late.headers],
      };
      expect([path, status, read]).toEqual([path, 200, { identity, headers }]);
      if (path !== '/first-chunk') expect(late).toEqual({ identity: [], headers: [] });
    }
  });

  it('takes a look at all headers for a read of each', async () => {
    app = await open(platform);
    for (const path of ['/headers-listed', '/headers-returned']) {
      expect((await app.visit(path)).report.identity).toContain('headers');
    }
  });
  it('tells late reads of a streamed body from early ones', async () => {
    app = await open(platform);
    const { text, report } = await app.visit('/late', {}, shutGate());
    expect(text).toBe('aundefined undefined');
    expect(report).toEqual({ identity: [], headers: [], late: { identity: ['user'], headers: ['x-late'] } });
  });

  it('shows cookies that are in the key, and no others of them in the header', async () => {
    app = await open(platform, ['theme']);
    const headers = { cookie: 'sid=secret; theme=dark; theme2=x' };
    const parsed = await app.visit('/cookie', { headers });
    expect([parsed.text, parsed.report.identity]).toEqual(['dark', []]);
    const header = await app.visit('/cookie-header', { headers });
    expect([header.text, header.report.identity]).toEqual(['{"cookie":"theme=dark"}', []]);
    const none = await app.visit('/cookie-header', { headers: { cookie: 'sid=secret' } });
    expect(none.text).toBe('{"cookie":null}');
  });

  it('notes a conditional header only if there is one, and a host only if it is not the one of the key', async () => {
    app = await open(platform);
    const { report } = await app.visit('/bookkeeping', { headers: { 'if-none-match': '"x"' } });
    expect(report.headers).toEqual(['if-none-match']);
  });

  it('leaves the request as it was, save what was written to it', async () => {
    app = await open(platform);
    for (const path of [
      '/nothing',
      '/user',
      '/headers-raw',
      '/socket',
      '/guarded',
      '/late',
      '/first-chunk',
    ]) {
      await app.visit(path, {}, shutGate());
      expect(app.seen.after).toEqual(app.seen.before);
    }
    await app.visit('/written');
    expect(app.seen.after[0]).toMatchObject({ tenant: 'new', fresher: 'made here' });
    expect(app.seen.after[0]).not.toHaveProperty('gone');
  });
});

describe.each(PLATFORMS)('what a route declares by a function, on %s', (platform) => {
  it('is known by its reads, which are not those of the handler', async () => {
    app = await open(platform);
    app.declareBy((request) => [request.tenant.id, request.headers['x-plan'], request.session]);
    const { report } = await app.visit('/nothing');
    expect(app.seen.declared).toEqual({ identity: ['tenant', 'session'], headers: ['x-plan'] });
    expect([report.identity, report.headers]).toEqual([[], []]);
  });
});
