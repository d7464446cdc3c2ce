import { accessSync, constants, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { PlainError } from '../plain-error.mjs';
import * as apt from './apt.mjs';
import * as compose from './compose.mjs';
import { RECIPES, TOOLS } from './recipes.mjs';

export const SERVICE_NAMES = Object.keys(RECIPES);
export const TOOL_NAMES = Object.keys(TOOLS);
const WANTED = { ...RECIPES, ...TOOLS };

/** The services and tools that SKIP_SERVICES names. A name that is not known is an error. */
export function skippedServices(env = process.env) {
  const names = (env.SKIP_SERVICES ?? '').split(/[\s,]+/).filter((name) => name !== '');
  const unknown = names.filter((name) => !(name in WANTED));
  if (unknown.length > 0) {
    throw new PlainError(
      `SKIP_SERVICES names ${unknown.join(', ')}; it knows: ${Object.keys(WANTED).join(', ')}.`,
    );
  }
  return names;
}

/**
 * Where a service or a tool can be had, in this order: a URL or path in the environment, a program on the PATH or in
 * Debian's folders, apt-get, docker compose. `own`: never the URL.
 *
 * @returns `{ kind: 'url', url, how }`, `{ kind: 'program', programs, how }` or `{ kind: 'compose', how }`
 */
export async function findService(
  name,
  { own = false, env = process.env, folders = searchFolders(env), sources = { apt, compose } } = {},
) {
  const { variable, packages, image } = WANTED[name];
  if (!own && env[variable] !== undefined && env[variable] !== '') {
    return { kind: 'url', url: env[variable], how: `at ${variable}` };
  }
  const found = findPrograms(name, folders, env);
  if (found !== undefined) return found;

  const failures = [];
  if (sources.apt.canInstall()) {
    for (const list of packages) {
      try {
        await sources.apt.install(list);
        const installed = findPrograms(name, folders, env);
        if (installed !== undefined) return { ...installed, how: `${list.join(', ')} by apt-get` };
        failures.push(
          `apt-get installed ${list.join(', ')}, which did not bring ${WANTED[name].programs.join(' and ')}`,
        );
      } catch (error) {
        failures.push(error.message);
      }
    }
  }
  if (image !== undefined && (await sources.compose.isAvailable()))
    return { kind: 'compose', how: 'docker compose' };
  throw new PlainError(unavailable(name, failures));
}

/** Has all these services and tools at hand, so that no test waits for an installation. */
export async function provideServices(names) {
  for (const name of names) await findService(name);
}

function findPrograms(name, { path, system }, env) {
  const [server] = WANTED[name].programs;
  for (const folder of [...path, ...system()]) {
    const programs = programsIn(folder, WANTED[name].programs, path);
    if (programs === undefined) continue;
    const isOnPath = (env.PATH ?? '').split(delimiter).includes(folder);
    return { kind: 'program', programs, how: isOnPath ? `${server} on the PATH` : programs[server] };
  }
  return undefined;
}

function programsIn(folder, [server, ...others], path) {
  if (!isProgram(join(folder, server))) return undefined;
  const programs = { [server]: join(folder, server) };
  for (const other of others) {
    const home = [folder, ...path, '/usr/bin'].find((candidate) => isProgram(join(candidate, other)));
    if (home === undefined) return undefined;
    programs[other] = join(home, other);
  }
  return programs;
}

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function searchFolders(env) {
  return {
    path: (env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''),
    system: () => ['/usr/bin', '/usr/sbin', '/usr/local/sbin', ...debianPostgres()],
  };
}

function debianPostgres(base = '/usr/lib/postgresql') {
  try {
    return readdirSync(base)
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join(base, version, 'bin'));
  } catch {
    return [];
  }
}

function unavailable(name, failures) {
  const { variable, programs, packages, image } = WANTED[name];
  return [
    `The tests need ${name}, and there is none. Any one of these will do:`,
    image === undefined
      ? `  - ${variable}=<path of the program>`
      : `  - ${variable}=<url of a server for tests>`,
    `  - ${programs.join(' and ')} on the PATH (Debian, Ubuntu: apt-get install ${packages[0].join(' ')})`,
    '  - root on Debian or Ubuntu: the tests install it with apt-get',
    ...(image === undefined ? [] : ['  - Docker with `docker compose`']),
    `  - SKIP_SERVICES=${name}, to leave its tests out`,
    ...failures.map((failure) => `Tried: ${failure}`),
  ].join('\n');
}
