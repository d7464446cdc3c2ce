/**
 * The direction of dependencies, as docs/design.md draws it:
 * module → page, fragment, method, insight, compat → cache → backends/cache-backend.ts (types only).
 */
const SRC = '^libs/caching/src';

/** Each client is imported in its backend only: by its package name, with the files of the backend. */
const CLIENTS = {
  redis: '(@keyv/redis|@redis/client|redis)',
  database: '(knex|pg|mysql2|libsql)',
  memcached: '(memcache-client|memcached|memjs)',
  keyv: 'keyv',
};

/** Files that compute and know nothing of Nest. */
const PURE = [
  'cache/(keys|codec|snapshot|frame)',
  'page/(access-policy|read-log|page-key|page-policy|cache-control|cache-control-patch|cache-status|conditional|field-scanner)',
  'page/(freshness|header-patch|http-date|query|variants|vary)',
  'fragment/fragment-key',
  'method/(method-key|decorations|fitting-decorator|method-options)',
].join('|');

const packageNamed = (name) => `(^|/)node_modules/${name}(/|$)|^${name}(/|$)`;

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Files that need each other say one thing together: merge them, or take out what both need.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      comment: 'What is imported is there, and package.json names it.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'backends-know-no-nest',
      severity: 'error',
      from: { path: `${SRC}/backends/` },
      to: { path: packageNamed('@nestjs/[^/]+') },
    },
    {
      name: 'backends-know-nothing-above',
      severity: 'error',
      from: { path: `${SRC}/backends/` },
      to: { path: `${SRC}/(cache|page|fragment|method|compat|insight)/` },
    },
    {
      name: 'backends-only-through-the-registry',
      comment: 'A backend is loaded by the dynamic import of its line in backend-registry.ts.',
      severity: 'error',
      from: { path: SRC, pathNot: `${SRC}/(backends|testing)/|${SRC}/(index|caching\\.options)\\.ts$` },
      to: { path: `${SRC}/backends/.*\\.backend\\.ts$` },
    },
    {
      name: 'backends-load-no-other-backend',
      severity: 'error',
      from: { path: `${SRC}/backends/([^/]+)`, pathNot: `${SRC}/backends/backend-registry\\.ts$` },
      to: { path: `${SRC}/backends/([^/]+)\\.backend\\.ts$`, pathNot: `${SRC}/backends/$1` },
    },
    {
      name: 'registry-loads-lazily',
      comment: 'An application that uses one backend pays for one.',
      severity: 'error',
      from: { path: `${SRC}/backends/backend-registry\\.ts$` },
      to: { path: '\\.backend\\.ts$', dependencyTypesNot: ['dynamic-import', 'type-only', 'type-import'] },
    },
    {
      name: 'public-files-name-types-of-backends-only',
      severity: 'error',
      from: { path: `${SRC}/(index|caching\\.options)\\.ts$` },
      to: { path: `${SRC}/backends/.*\\.backend\\.ts$`, dependencyTypesNot: ['type-only', 'type-import'] },
    },
    {
      name: 'cache-knows-the-contract-only',
      severity: 'error',
      from: { path: `${SRC}/cache/` },
      to: {
        path: `${SRC}/backends/`,
        pathNot: `${SRC}/backends/(cache-backend|backend-registry)\\.ts$`,
      },
    },
    {
      name: 'cache-takes-types-of-the-contract',
      severity: 'error',
      from: { path: `${SRC}/cache/` },
      to: { path: `${SRC}/backends/cache-backend\\.ts$`, dependencyTypesNot: ['type-only', 'type-import'] },
    },
    {
      name: 'cache-knows-nothing-above',
      severity: 'error',
      from: { path: `${SRC}/cache/` },
      to: { path: `${SRC}/(page|fragment|method|compat|insight)/` },
    },
    {
      name: 'pages-know-no-other-layer-and-no-backend',
      severity: 'error',
      from: { path: `${SRC}/page/` },
      to: { path: `${SRC}/(fragment|method|backends)/` },
    },
    {
      name: 'fragments-know-no-other-layer-and-no-backend',
      severity: 'error',
      from: { path: `${SRC}/fragment/` },
      to: { path: `${SRC}/(page|method|backends)/` },
    },
    {
      name: 'methods-know-no-other-layer-and-no-backend',
      severity: 'error',
      from: { path: `${SRC}/method/` },
      to: { path: `${SRC}/(page|fragment|backends)/` },
    },
    {
      name: 'compat-knows-the-engine-only',
      severity: 'error',
      from: { path: `${SRC}/compat/` },
      to: { path: `${SRC}/(page|fragment|method|insight|backends)/` },
    },
    {
      name: 'nothing-needs-compat',
      comment: 'It is a second entry point: who does not use @nestjs/cache-manager need not have it.',
      severity: 'error',
      from: { path: SRC, pathNot: `${SRC}/compat/` },
      to: { path: `${SRC}/compat/` },
    },
    {
      name: 'cache-manager-in-one-file-only',
      severity: 'error',
      from: { path: SRC, pathNot: `${SRC}/compat/nest-cache-manager\\.ts$` },
      to: { path: packageNamed('(@nestjs/)?cache-manager') },
    },
    {
      name: 'template-engines-are-brought-along',
      comment: 'An application gives its own instance of an engine to `withFragments`.',
      severity: 'error',
      from: { path: SRC },
      to: { path: packageNamed('(handlebars|hbs|pug|nunjucks|liquidjs|ejs|eta)') },
    },
    {
      name: 'nothing-needs-template-engines',
      comment: 'Each is an entry point of its own.',
      severity: 'error',
      from: { path: SRC, pathNot: `${SRC}/fragment/engines/` },
      to: { path: `${SRC}/fragment/engines/` },
    },
    {
      name: 'module-is-the-top',
      severity: 'error',
      from: { path: SRC, pathNot: `${SRC}/index\\.ts$` },
      to: { path: `${SRC}/caching\\.module\\.ts$` },
    },
    {
      name: 'pure-files-know-no-nest',
      severity: 'error',
      from: { path: `${SRC}/(${PURE})\\.ts$` },
      to: { path: packageNamed('@nestjs/[^/]+') },
    },
    ...Object.entries(CLIENTS).map(([backend, names]) => ({
      name: `client-of-${backend}-in-its-backend-only`,
      severity: 'error',
      from: { path: SRC, pathNot: `${SRC}/backends/${backend}(\\.|/|-)` },
      to: { path: packageNamed(names) },
    })),
    {
      name: 'library-knows-no-application',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^(apps|bench|test|scripts)/' },
    },
    {
      name: 'application-uses-the-package',
      comment: 'The sample shows what a user writes: nestjs-caching by its name, not its files.',
      severity: 'error',
      from: { path: '^apps/' },
      to: { path: '^libs/', dependencyTypesNot: ['aliased', 'npm'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(libs|apps)/[^/]+/dist/' },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.cjs', '.json', '.d.ts'],
    },
  },
};
