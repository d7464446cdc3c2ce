import { describe, expect, it } from '@jest/globals';
import { suiteTable } from '../../scripts/suite-table.mjs';

const test = (status: string, ...ancestorTitles: string[]) => ({ status, ancestorTitles });

describe('suiteTable', () => {
  it('tells backends on several servers apart, and failures and what was left out from what passed', () => {
    const lines = suiteTable(
      [
        {
          testResults: [
            test('passed', 'on redis', 'redis: backend compliance', 'basics'),
            test('failed', 'on redis', 'redis: backend compliance'),
            test('passed', 'on redis', 'redis: outages'),
            test('passed', 'something else'),
          ],
        },
        { testResults: [test('pending', 'on postgres', 'database: hostile content', 'zeros')] },
      ],
      'postgres',
    );
    expect(lines).toEqual([
      'backend               backend compliance  outages        hostile content',
      'database on postgres  –                   –              0 of 0 passed, 1 left out (SKIP_SERVICES=postgres)',
      'redis                 1 of 2 passed       1 of 1 passed  –',
    ]);
  });

  it('is not there if none of the suites was run', () => {
    expect(suiteTable([{ testResults: [test('passed', 'any'), test('pending', 'x: outages')] }])).toEqual([]);
  });
});
