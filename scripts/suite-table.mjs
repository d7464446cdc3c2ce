const SUITES = ['backend compliance', 'outages', 'hostile content'];
const TITLE = new RegExp(`^(.*): (${SUITES.join('|')})$`);

/**
 * Backend × suite of `nestjs-caching/testing`, as lines of a table: passed of those that were run, and what was left out.
 * No lines if none of them was run. A dash is a suite that the backend has no use for.
 *
 * @param testResults those of Jest, one for each spec
 * @param skipped what SKIP_SERVICES holds
 */
export function suiteTable(testResults, skipped = process.env.SKIP_SERVICES) {
  const rows = new Map();
  for (const { ancestorTitles, status } of testResults.flatMap((spec) => spec.testResults)) {
    const at = ancestorTitles.findIndex((title) => TITLE.test(title));
    if (at === -1) continue;
    const [, backend, suite] = TITLE.exec(ancestorTitles[at]);
    // `on postgres`, `behind redis sentinel`
    const place = ancestorTitles.slice(0, at).find((title) => /^(on|behind) /.test(title));
    count(
      rows,
      place === undefined || place === `on ${backend}` ? backend : `${backend} ${place}`,
      suite,
      status,
    );
  }
  if ([...rows.values()].every((cells) => [...cells.values()].every(({ run }) => run === 0))) return [];
  const lines = [...rows]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([backend, cells]) => line(backend, cells, skipped));
  return aligned([['backend', ...SUITES], ...lines]);
}

function count(rows, backend, suite, status) {
  if (!rows.has(backend)) rows.set(backend, new Map());
  const cells = rows.get(backend);
  const cell = cells.get(suite) ?? { run: 0, passed: 0, leftOut: 0 };
  cells.set(suite, cell);
  if (status === 'passed' || status === 'failed') cell.run += 1;
  else cell.leftOut += 1;
  if (status === 'passed') cell.passed += 1;
}

function line(backend, cells, skipped) {
  return [backend, ...SUITES.map((suite) => text(cells.get(suite), skipped))];
}

function text(cell, skipped) {
  if (cell === undefined) return '–';
  const { run, passed, leftOut } = cell;
  const why = skipped ? `SKIP_SERVICES=${skipped}` : 'not asked for';
  return [`${passed} of ${run} passed`, ...(leftOut > 0 ? [`${leftOut} left out (${why})`] : [])].join(', ');
}

function aligned(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
}
