import { describe, expect, it } from '@jest/globals';
import { HeaderLookup, type HeaderValues } from '../../libs/caching/src/page/header-lookup.js';
import { isStorableHeader, type StoredPage, storedPage } from '../../libs/caching/src/page/stored-page.js';

const CREATED = Date.UTC(2026, 10, 24, 12);
const stored = (atEmission: HeaderValues, before: HeaderValues = {}): StoredPage | undefined => {
  const lookup = new HeaderLookup(atEmission);
  const body = Buffer.from('body');
  const captured = {
    status: 200,
    body,
    before: new HeaderLookup(before),
    atEmission: lookup,
    atFinish: lookup,
  };
  return storedPage(captured, CREATED);
};

describe('what is kept of a response (http.md A3)', () => {
  it.each([
    ...['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
    ...['proxy-authenticate', 'proxy-authorization', 'proxy-connection'],
    ...['set-cookie', 'age', 'date', 'content-length', 'cache-status', 'server-timing', 'alt-svc'],
    ...['access-control-allow-origin', 'access-control-expose-headers'],
  ])('43 and 57: never %s', (name) => {
    expect(isStorableHeader(name, undefined)).toBe(false);
    expect(stored({ [name]: '4', 'x-kept': '1' })?.headers.map(([kept]) => kept)).toEqual(['x-kept', 'date']);
  });

  it('43: never what Connection lists, in any case', () => {
    expect(['x-a', 'x-b', 'x-c'].map((name) => isStorableHeader(name, 'close, X-A ,x-B'))).toEqual([
      false,
      false,
      true,
    ]);
  });

  it('57: nothing that middleware had set before, unless it was changed', () => {
    const before = { 'x-same': '1', 'x-changed': '1', 'x-list': ['1', '2'] };
    const after = { 'x-same': '1', 'x-changed': '2', 'x-list': ['1', '3'], 'x-number': 5 };
    expect(stored(after, before)?.headers.slice(0, -1)).toEqual([
      ['x-changed', '2'],
      ['x-list', ['1', '3']],
      ['x-number', '5'],
    ]);
  });

  it('34 and 41: the age that it came with, and its Date or that of the run', () => {
    expect(stored({ age: '50, 0' })?.ageSeconds).toBe(50);
    expect(stored({})?.ageSeconds).toBe(0);
    expect(stored({})?.headers).toEqual([['date', 'Tue, 24 Nov 2026 12:00:00 GMT']]);
    expect(stored({ date: 'its own' })?.headers).toEqual([['date', 'its own']]);
  });

  it('49: its tag, or a weak one of its bytes, and no second one among the headers', () => {
    expect(stored({ etag: '"own"' })).toMatchObject({
      etag: '"own"',
      headers: [['date', expect.anything()]],
    });
    expect(stored({})?.etag).toMatch(/^W\/"4-/);
  });

  it('22: nothing of one that is not as long as it says', () => {
    expect(stored({ 'content-length': 5 })).toBeUndefined();
    expect(stored({ 'content-length': '4' })?.body.toString()).toBe('body');
  });
});
