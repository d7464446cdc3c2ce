export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** The smallest and the largest, as a share of the median. */
export function spread(numbers) {
  const middle = median(numbers);
  return `${(Math.min(...numbers) / middle).toFixed(2)}–${(Math.max(...numbers) / middle).toFixed(2)}`;
}

/** Prints a table in Markdown. */
export function table(title, head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  process.stdout.write(
    `\n${title}\n\n${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`,
  );
}
