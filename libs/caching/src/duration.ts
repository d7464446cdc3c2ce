import { InvalidDurationError } from './errors.js';

/**
 * How long something lasts: a number of **milliseconds**, or a string of digits and a unit:
 * `'250ms'`, `'30s'`, `'15m'`, `'12h'`, `'7d'`. Zero or negative means "do not keep".
 */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/** How long an entry stays fresh. `null` never expires; `0` or negative does not keep. */
export type Ttl = Duration | null;

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(-?\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** The longest life that is kept as such, in milliseconds (about 285 years); more than that is an error. */
export const MAX_DURATION_MS = 9_000_000_000_000;

/**
 * A duration in whole milliseconds. A positive fraction is rounded up, so that no life becomes none.
 *
 * @throws InvalidDurationError for `NaN`, `Infinity`, unknown units and anything over {@link MAX_DURATION_MS}
 */
export function toMs(duration: Duration): number {
  const ms = typeof duration === 'number' ? duration : parse(duration);
  if (!Number.isFinite(ms) || Math.abs(ms) > MAX_DURATION_MS) throw new InvalidDurationError(duration);
  return Math.ceil(ms) || 0;
}

/** {@link toMs}, where `null` stays `null`: never expires. */
export function ttlToMs(ttl: Ttl): number | null {
  return ttl === null ? null : toMs(ttl);
}

function parse(text: unknown): number {
  const match = typeof text === 'string' ? DURATION.exec(text) : null;
  if (match === null) throw new InvalidDurationError(text);
  return Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
}
