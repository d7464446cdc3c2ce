import { existsSync, readFileSync, writeFileSync } from 'node:fs';

import { suiteTable } from './suite-table.mjs';

/**
 * Writes the last lines of a test run to the file TEST_CLOSING_LINES: what the suites of the backends came to, the servers
 * that the tests really ran against, by the log that test/support/services.ts keeps in TEST_SERVICE_LOG, and one plain line
 * of totals.
 */
export default class ServiceReporter {
  onRunComplete(_contexts, results) {
    const file = process.env.TEST_CLOSING_LINES;
    if (file === undefined) return;
    const log = readLog(process.env.TEST_SERVICE_LOG);
    const { testResults } = results;
    const lines = [...suiteTable(testResults), ...serviceLines(log, testResults), totals(results)];
    writeFileSync(file, `${lines.join('\n')}\n`);
  }
}

function readLog(file) {
  if (file === undefined || !existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** `redis 7.0.15 (redis-server on the PATH): 143 tests`; a spec that starts its server by hand counts as a whole. */
function serviceLines(log, testResults) {
  const place = ({ name, testPath }) => `${name} ${testPath}`;
  const counted = new Set(log.filter(({ tests }) => tests !== undefined).map(place));
  const whole = new Set();
  const counts = new Map();
  for (const entry of log) {
    const title = entry.isSkipped
      ? `${entry.name}: left out by SKIP_SERVICES`
      : `${entry.name} ${entry.version} (${entry.how})`;
    counts.set(title, (counts.get(title) ?? 0) + (entry.tests ?? 0));
    if (entry.isSkipped || counted.has(place(entry)) || whole.has(place(entry))) continue;
    whole.add(place(entry));
    counts.set(title, counts.get(title) + testsRunIn(entry.testPath, testResults));
  }
  return [...counts]
    .filter(([title, count]) => count > 0 || title.includes('left out'))
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([title, count]) => (count > 0 ? `${title}: ${count} tests` : title));
}

function testsRunIn(testPath, testResults) {
  const result = testResults.find(({ testFilePath }) => testFilePath === testPath);
  return result === undefined ? 0 : result.numPassingTests + result.numFailingTests;
}

/** `N passed, N failed, N skipped`: CI reads it. A spec that could not be run counts as a failure. */
function totals({
  numPassedTests,
  numFailedTests,
  numPendingTests,
  numTodoTests,
  numRuntimeErrorTestSuites,
}) {
  const skipped = numPendingTests + numTodoTests;
  const parts = [`${numPassedTests} passed`, `${numFailedTests + numRuntimeErrorTestSuites} failed`];
  return [...parts, ...(skipped > 0 ? [`${skipped} skipped`] : [])].join(', ');
}
