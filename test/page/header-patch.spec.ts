import { describe, expect, it } from '@jest/globals';
import { type CacheControlOptions, directivesOf } from '../../libs/caching/src/page/cache-control-patch.js';
import type { DeclaredHeaders } from '../../libs/caching/src/page/header-metadata.js';
import { HeaderPatch, type ResponseHeaders } from '../../libs/caching/src/page/header-patch.js';

const NOW = Date.UTC(2026, 10, 24, 12);

class Headers implements ResponseHeaders {
  readonly method = 'GET';
  status = 200;
  constructor(readonly all: Record<string, string> = {}) {}
  get(name: string): string | undefined {
    return this.all[name];
  }
  set(name: string, value: string): void {
    this.all[name] = value;
  }
  remove(name: string): void {
    delete this.all[name];
  }
}

const declared = (part: Partial<DeclaredHeaders>): DeclaredHeaders => ({
  isNeverCached: false,
  cacheControl: [],
  varyOn: [],
  cookies: [],
  condition: undefined,
  ...part,
});
const patchOf = (headers: Headers, part: Partial<DeclaredHeaders>): HeaderPatch =>
  new HeaderPatch(headers, declared(part), NOW);
const directives = (...options: CacheControlOptions[]) => ({ cacheControl: options.map(directivesOf) });

describe('the patch of a response', () => {
  it('197: of @NeverCache is the header set of never_cache, with Expires at this moment', () => {
    const headers = new Headers();
    patchOf(headers, { isNeverCached: true }).apply();
    expect(headers.all).toEqual({
      'cache-control': 'max-age=0, no-cache, no-store, must-revalidate, private',
      expires: 'Tue, 24 Nov 2026 12:00:00 GMT',
    });
  });

  it('198: of @NeverCache keeps an Expires, and nothing of another Cache-Control', () => {
    const headers = new Headers({ 'cache-control': 'public, s-maxage=600', expires: 'tomorrow' });
    patchOf(headers, { isNeverCached: true, ...directives({ public: true, maxAge: '1h' }) }).apply();
    expect(headers.all).toEqual({
      'cache-control': 'max-age=0, no-cache, no-store, must-revalidate, private',
      expires: 'tomorrow',
    });
  });

  it('adds directives up, those nearest to the method first', () => {
    const headers = new Headers();
    patchOf(headers, directives({ maxAge: '1m', private: true }, { maxAge: '1h', public: true })).apply();
    expect(headers.all).toEqual({ 'cache-control': 'max-age=60, private' });
  });

  it('starts anew from what others have set when it is applied again', () => {
    const headers = new Headers({ vary: 'Origin' });
    const patch = patchOf(headers, {
      ...directives({ maxAge: '1m' }),
      varyOn: ['Accept'],
      cookies: ['theme'],
    });
    patch.apply();
    patch.apply();
    expect(headers.all).toEqual({ 'cache-control': 'max-age=60', vary: 'Origin, Accept, Cookie' });
    headers.set('cache-control', 'no-store');
    patch.apply();
    expect(headers.all['cache-control']).toBe('no-store, max-age=60');
  });

  it('takes back what does not suit an error, tag and date of the representation included', () => {
    const headers = new Headers();
    const patch = patchOf(headers, {
      ...directives({ maxAge: '1h', public: true, immutable: true }, { noTransform: true }),
      varyOn: ['Accept'],
    });
    patch.validators = { etag: '"a"', lastModified: NOW };
    patch.apply();
    expect(headers.all).toEqual({
      'cache-control': 'max-age=3600, public, immutable, no-transform',
      vary: 'Accept',
      etag: '"a"',
      'last-modified': 'Tue, 24 Nov 2026 12:00:00 GMT',
    });
    headers.status = 404;
    patch.apply();
    expect(headers.all).toEqual({ 'cache-control': 'no-transform', vary: 'Accept' });
  });

  it('leaves a tag and a date of the handler', () => {
    const headers = new Headers({ etag: '"own"', 'last-modified': 'own' });
    const patch = patchOf(headers, {});
    patch.validators = { etag: '"a"', lastModified: NOW };
    patch.apply();
    expect(headers.all).toEqual({ etag: '"own"', 'last-modified': 'own' });
  });
});
