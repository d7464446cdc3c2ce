const SWC = {
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: true },
    target: 'es2022',
    keepClassNames: true,
  },
  sourceMaps: 'inline',
};

/** Nest 12 is ESM only, so Jest runs in ESM mode: NODE_OPTIONS=--experimental-vm-modules (set by scripts/test.mjs). */
export default {
  rootDir: '.',
  testEnvironment: 'node',
  // Servers start within a second; a loaded machine may take its time.
  testTimeout: 30_000,
  // A worker keeps the modules of every spec that it has run: in one process the suite came to 3.5 GB, and to half the speed.
  maxWorkers: 2,
  workerIdleMemoryLimit: '1GB',
  testMatch: ['<rootDir>/test/**/*.spec.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': ['@swc/jest', { ...SWC, module: { type: 'es6' } }],
    '/cookie/dist/.+\\.js$': ['@swc/jest', { ...SWC, module: { type: 'commonjs' } }],
  },
  // `light-my-request` requires an ES module, which Node can and Jest cannot.
  transformIgnorePatterns: ['/node_modules/(?!(?:light-my-request/node_modules/)?cookie/dist/)'],
  moduleNameMapper: {
    '^nestjs-caching$': '<rootDir>/libs/caching/src/index.ts',
    '^nestjs-caching/compat$': '<rootDir>/libs/caching/src/compat/index.ts',
    '^nestjs-caching/database$': '<rootDir>/libs/caching/src/database.ts',
    '^nestjs-caching/fragments/(.*)$': '<rootDir>/libs/caching/src/fragment/engines/$1.ts',
    '^nestjs-caching/testing$': '<rootDir>/libs/caching/src/testing/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
};
