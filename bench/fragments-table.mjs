import { median, spread, table } from './table.mjs';

/** Ratios are those of one round: what slows a whole round down does not show. */
export function compareTimes(platform, results) {
  const rows = results.map(([engine, { static: base, loop, cached, rendered }]) => {
    const slower = cached.map((time, round) => time / base[round]);
    const looped = loop.map((time, round) => time / base[round]);
    const faster = rendered.map((time, round) => time / cached[round]);
    const ms = (times) => median(times).toFixed(2);
    return [
      engine,
      median(slower).toFixed(2),
      median(looped).toFixed(2),
      median(faster).toFixed(0),
      ...[base, cached, rendered].map(ms),
      spread(cached),
    ];
  });
  table(
    `A page of 50 cached fragments (50 kB) on ${platform}, memory`,
    [
      'engine',
      '× static markup',
      'the loop alone',
      '× faster than rendering',
      'static ms',
      'cached ms',
      'rendered ms',
      'spread',
    ],
    rows,
  );
}
