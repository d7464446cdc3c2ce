import { describe, expect, it } from '@jest/globals';
import { accessWarning, type DeclaredReads, judgeAccess } from '../../libs/caching/src/page/access-policy.js';
import { PageWarnings } from '../../libs/caching/src/page/page-warnings.js';
import type { AccessReport } from '../../libs/caching/src/page/read-log.js';

const NONE = { identity: [], headers: [] };
const report = (early: Partial<AccessReport>, late: Partial<AccessReport['late']> = {}): AccessReport => ({
  ...NONE,
  ...early,
  late: { ...NONE, ...late },
});
const declared = (more: Partial<DeclaredReads> = {}): DeclaredReads => ({
  user: false,
  headers: [],
  varyOn: NONE,
  ignored: [],
  ...more,
});
const stored = (...vary: string[]): object => ({ isStorable: true, vary });
const refused = (...reads: string[]): object => ({ isStorable: false, reads });

describe('judgeAccess', () => {
  it.each([
    'user',
    'session',
    'cookies',
    'authorization',
    'ip',
    'socket',
    'headers',
    'tenant',
    'locals.csrfToken',
    'cspNonce',
  ])('refuses an undeclared read of %s', (name) => {
    expect(judgeAccess(report({ identity: [name] }), declared())).toEqual(refused(name));
  });

  it('lets `user` declare the user and Authorization, and nothing else', () => {
    const names = ['user', 'authorization', 'session', 'cookies', 'ip', 'tenant'];
    expect(judgeAccess(report({ identity: names }), declared({ user: true }))).toEqual(
      refused('session', 'cookies', 'ip', 'tenant'),
    );
  });

  it('lets `varyOn` declare the properties that it reads, but no person or connection as a whole', () => {
    const identity = [
      'tenant',
      'i18nLang',
      'user',
      'session',
      'cookies',
      'authorization',
      'ip',
      'ips',
      'socket',
      'headers',
    ];
    expect(judgeAccess(report({ identity }), declared({ varyOn: { identity, headers: [] } }))).toEqual(
      refused('user', 'session', 'cookies', 'authorization', 'ip', 'ips', 'socket', 'headers'),
    );
  });

  it('sends undeclared headers into `Vary`, also those that `varyOn` has read a part of', () => {
    const verdict = judgeAccess(
      report({ headers: ['accept-language', 'x-a', 'x-b'] }),
      declared({ headers: ['accept-language'], varyOn: { identity: [], headers: ['x-a'] } }),
    );
    expect(verdict).toEqual(stored('x-a', 'x-b'));
  });

  it('exempts what `ignoreReads` names, early and late', () => {
    const ignored = ['user', 'user-agent', 'x-late'];
    const reads = report(
      { identity: ['user'], headers: ['user-agent'] },
      { identity: ['user'], headers: ['x-late'] },
    );
    expect(judgeAccess(reads, declared({ ignored }))).toEqual(stored());
  });

  it('refuses late reads, save of headers that are in the key or in `Vary` already', () => {
    expect(judgeAccess(report({}, { identity: ['user'] }), declared())).toEqual(refused('user'));
    expect(judgeAccess(report({}, { headers: ['x-a'] }), declared())).toEqual(refused('x-a'));
    expect(judgeAccess(report({}, { headers: ['x-a'] }), declared({ headers: ['x-a'] }))).toEqual(stored());
    expect(judgeAccess(report({ headers: ['x-a'] }, { headers: ['x-a'] }), declared())).toEqual(
      stored('x-a'),
    );
  });

  it('refuses an answer to conditions that the handler has read, without a word', () => {
    expect(judgeAccess(report({ headers: ['if-none-match'] }), declared())).toEqual(refused());
  });
});

describe('accessWarning', () => {
  it.each([
    ['user', '`user: (request) => id`'],
    ['authorization', '`user: (request) => id`'],
    ['session', 'set `request.user` from the session'],
    ['cookies', '`@VaryOnCookie()`'],
    ['ip', '`varyOn`'],
    ['socket', '`varyOn`'],
    ['headers', 'by their names'],
    ['i18nLang', 'I18nContext.current()?.lang'],
    ['tenant', '`varyOn: (request) => request.tenant`'],
    ['locals.csrfToken', 'keep locals.csrfToken out of the page'],
  ])('names the route, the read of %s, and what to do', (name, remedy) => {
    const warning = accessWarning('ShopController.list', [name], []);
    expect(warning).toContain(`ShopController.list is not cached: its handler reads '${name}'`);
    expect(warning).toContain(remedy);
    expect(warning).toContain(`add '${name}' to \`pages.ignoreReads\``);
  });

  it('says one remedy once, and what to do about a header that was read too late', () => {
    const warning = accessWarning('A.b', ['user', 'authorization', 'x-late'], ['x-late']);
    expect(warning.split('`user: (request) => id`')).toHaveLength(2);
    expect(warning).toContain("`@VaryOn('x-late')`");
  });
});

describe('PageWarnings', () => {
  it('tells about a route once, and nothing if there is nothing to do', () => {
    const told: string[] = [];
    const warnings = new PageWarnings((message) => told.push(message));
    warnings.reads('A.conditional', [], report({}));
    warnings.reads('A.b', ['user'], report({ identity: ['user'] }));
    warnings.reads('A.b', ['session'], report({ identity: ['session'] }));
    warnings.requestScope('A.b');
    warnings.reads('A.c', ['x-late'], report({}, { headers: ['x-late'] }));
    warnings.requestScope('A.d');
    expect(told.map((message) => message.split(' ', 1)[0])).toEqual(['A.b', 'A.c', 'A.d']);
    expect(told[1]).toContain("`@VaryOn('x-late')`");
    expect(told[2]).toContain('`shared: true`');
  });
});
