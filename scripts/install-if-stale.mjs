import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import { PlainError } from './plain-error.mjs';
import { withLock } from './services/lock.mjs';
import { ROOT, runNpm, step } from './step.mjs';

const STAMP = join(ROOT, 'node_modules/.nestjs-caching-install.json');
const DEPENDENCY_KINDS = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];

/**
 * Installs what package-lock.json says, unless that is what is there already. `'production'` leaves out what only the
 * tests and tools need; a full install serves for it and is never reduced.
 *
 * @throws PlainError if npm fails, and if a package.json was changed without its lockfile
 */
export async function installIfStale(mode) {
  // Two commands in two terminals must not install into one folder at once.
  const lock = join(tmpdir(), `nestjs-caching-install-${digest([ROOT]).slice(0, 16)}.lock`);
  await withLock(lock, async () => {
    const state = digest([currentState()]);
    if (isCurrent(mode, state)) return;
    checkLockfile();
    await step(`Installing ${mode === 'full' ? 'all packages' : 'what the sample needs'}`, () =>
      install(mode),
    );
    writeFileSync(STAMP, JSON.stringify({ mode, state }));
  });
}

async function install(mode) {
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
  if (mode === 'production') flags.push('--omit=dev');
  // `ci` starts by removing everything, also from under a sample that runs.
  const command = existsSync(join(ROOT, 'node_modules')) ? ['install', '--no-save'] : ['ci'];
  await runNpm([...command, ...flags]);
}

function isCurrent(mode, state) {
  const stamp = readJson(STAMP);
  if (stamp?.state === state && (stamp.mode === 'full' || stamp.mode === mode)) return true;
  // Somebody may have run npm by hand.
  if (!hasAllPackages(mode) || !isLockfileInStep()) return false;
  writeFileSync(STAMP, JSON.stringify({ mode, state }));
  return true;
}

/**
 * Whether node_modules holds the packages of package-lock.json, by npm's own record of what it installed. The record knows
 * versions, and what `npm install --package-lock-only` did not install.
 */
function hasAllPackages(mode) {
  const installed = readJson(join(ROOT, 'node_modules/.package-lock.json'))?.packages;
  if (installed === undefined) return false;
  return Object.entries(lockfile().packages).every(([path, entry]) => {
    const isNeeded = path.startsWith('node_modules/') && !entry.optional && !entry.devOptional && !entry.link;
    if (!isNeeded || (entry.dev && mode === 'production')) return true;
    return installed[path]?.version === entry.version && existsSync(join(ROOT, path));
  });
}

function checkLockfile() {
  if (isLockfileInStep()) return;
  throw new PlainError(
    'A package.json names other packages than package-lock.json. Run `npm install` and commit the lockfile with it.',
  );
}

function isLockfileInStep() {
  const { packages } = lockfile();
  return manifests().every((file) => {
    const manifest = readJson(file);
    const locked = packages[relative(ROOT, dirname(file)).replaceAll('\\', '/')] ?? {};
    return DEPENDENCY_KINDS.every((kind) => isDeepStrictEqual(manifest[kind] ?? {}, locked[kind] ?? {}));
  });
}

/** All that decides what an install brings. */
function currentState() {
  const files = [...manifests(), join(ROOT, 'package-lock.json')].map((file) => readFileSync(file, 'utf8'));
  return [process.platform, process.arch, ...files].join('\0');
}

function manifests() {
  const found = ['libs', 'apps'].flatMap((folder) => workspacesIn(join(ROOT, folder)));
  return [join(ROOT, 'package.json'), ...found.sort()];
}

function workspacesIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((name) => join(folder, name, 'package.json'))
    .filter((file) => existsSync(file));
}

function lockfile() {
  return JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function digest(parts) {
  return createHash('sha256').update(parts.join('\0')).digest('hex');
}
