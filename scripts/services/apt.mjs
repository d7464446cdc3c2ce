import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { withLock } from './lock.mjs';
import { run } from './run.mjs';

const POLICY = '/usr/sbin/policy-rc.d';
const QUIET = ['-y', '-qq', '-o', 'DPkg::Lock::Timeout=600'];

/** Whether packages can be installed: as root on Debian, Ubuntu and their kin. */
export function canInstall() {
  return process.platform === 'linux' && process.getuid() === 0 && existsSync('/usr/bin/apt-get');
}

/** Installs Debian packages, one process at a time, and lets none of them start a system service. */
export async function install(packages) {
  await withLock(join(tmpdir(), 'nestjs-caching-apt.lock'), async () => {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    await run('apt-get', ['update', ...QUIET], { env });
    await withoutServices(() =>
      run('apt-get', ['install', '--no-install-recommends', ...QUIET, ...packages], { env }),
    );
  });
}

async function withoutServices(work) {
  if (existsSync(POLICY)) return work();
  await writeFile(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return await work();
  } finally {
    await rm(POLICY, { force: true });
  }
}
