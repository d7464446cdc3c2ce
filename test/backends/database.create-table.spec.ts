import { describe, expect, it } from '@jest/globals';

import { createTableCommand } from '../../libs/caching/src/cli/create-table.js';
import { applicationKnex, createBackend, describeDatabases } from './database-subjects.js';

async function run(args: readonly string[], env: Record<string, string> = {}) {
  let stdout = '';
  let stderr = '';
  const code = await createTableCommand(args, {
    env,
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
  });
  return { code, stdout, stderr };
}

describeDatabases((url) => {
  describe('create-table', () => {
    it('makes a table that a cache can use, once', async () => {
      const made = await run(['--url', url(), '--table', 'made']);
      expect(made).toEqual({ code: 0, stdout: "Cache table 'made' created.\n", stderr: '' });
      const backend = createBackend({ url: url(), table: 'made', createTable: false });
      await backend.set('a', 1, null);
      await backend.close();
      const again = await run(['--url', url(), '--table', 'made']);
      expect(again).toEqual({ code: 0, stdout: "Cache table 'made' already exists.\n", stderr: '' });
    });

    it('prints with --dry-run the SQL that makes the table, and makes none', async () => {
      const { code, stdout } = await run(['--dry-run', '--table', 'dry'], { DATABASE_URL: url() });
      expect(code).toBe(0);
      expect(stdout).toMatch(/^CREATE TABLE/);
      const knex = await applicationKnex(url());
      try {
        expect(await knex.schema.hasTable('dry')).toBe(false);
        for (const statement of stdout.split(';').filter((text) => text.trim() !== ''))
          await knex.raw(statement);
        const backend = createBackend({ knex, table: 'dry', createTable: false });
        await backend.set('a', 1, null);
        expect(await backend.get('a')).toBe(1);
      } finally {
        await knex.destroy();
      }
    });
  });
});

describe('create-table', () => {
  it('takes CACHE_URL before DATABASE_URL', async () => {
    const env = { CACHE_URL: 'mariadb://localhost/x', DATABASE_URL: 'sqlite:x.db' };
    expect((await run(['--dry-run'], env)).stdout).toContain('LONGBLOB');
  });

  it('prints the SQL without a server', async () => {
    const { code, stdout } = await run(['--dry-run', '--url', 'postgres://nobody@127.0.0.1:1/none']);
    expect([code, stdout]).toEqual([0, expect.stringContaining('bytea')]);
  });

  it('says how it is called', async () => {
    expect(await run(['--help'])).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('Usage:'),
    });
    expect(await run([])).toMatchObject({ code: 2, stderr: expect.stringContaining('DATABASE_URL') });
    expect(await run(['--nonsense'])).toMatchObject({ code: 2, stderr: expect.stringContaining('Usage:') });
  });

  it('fails with the reason and without the password', async () => {
    const down = await run(['--url', 'postgres://me:hush@127.0.0.1:1/none']);
    expect(down).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('ECONNREFUSED') });
    expect(down.stderr).not.toContain('hush');
    expect(await run(['--url', 'sqlite::memory:', '--table', 'x; drop'])).toMatchObject({ code: 1 });
    expect(await run(['--url', 'redis://localhost'])).toMatchObject({ code: 1 });
  });
});
