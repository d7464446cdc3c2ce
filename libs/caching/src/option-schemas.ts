import { z } from 'zod';
import type { ValueConverter } from './cache/converters.js';
import { escapeSegment } from './cache/keys.js';
import { type Duration, toMs, type Ttl, ttlToMs } from './duration.js';

const DURATION = "milliseconds or text such as '250ms', '30s', '15m', '12h', '7d'";

const isValid = (check: () => unknown): boolean => {
  try {
    check();
    return true;
  } catch {
    return false;
  }
};
/** A life, or null for ever. */
export const ttl = z.custom<Ttl>(
  (value) => isValid(() => ttlToMs(value as Ttl)),
  `use ${DURATION}, or null for ever`,
);
/** A duration within bounds, in milliseconds. */
export const duration = (least: number, most: number) =>
  z.custom<Duration>((value) => {
    if (!isValid(() => toMs(value as Duration))) return false;
    const ms = toMs(value as Duration);
    return ms >= least && ms <= most;
  }, `use ${DURATION}; at least ${least} ms and at most ${most} ms`);
/** A whole number within bounds. */
export const count = (least: number, most: number) =>
  z.number(`use a whole number from ${least} to ${most}`).int().min(least).max(most);
/** Text of so many bytes at most, escaped as in a key. */
export const name = (most: number) =>
  z.string('use text').refine((text) => escapeSegment(text).length <= most, `use at most ${most} bytes`);
/** Converters with names of their own. */
export const converters = z
  .array(
    z.custom<ValueConverter>(
      isConverter,
      'use { name, type, toData, fromData }: a text, a class, two functions',
    ),
  )
  .refine((all) => new Set(all.map((each) => each.name)).size === all.length, 'two have one name')
  .refine((all) => new Set(all.map((each) => each.type)).size === all.length, 'two are for one class');
/** Any object. Functions too: a Knex instance is one. */
export const given = z.custom<object>((value) => Object(value) === value, 'use an object');
/** Something that a message of its own asks for. */
export const givenAs = (wanted: string) =>
  z.custom<object>((value) => typeof value === 'object' && value !== null, wanted);

function isConverter(value: unknown): boolean {
  const { name, type, toData, fromData } = (value ?? {}) as Partial<Record<keyof ValueConverter, unknown>>;
  const isName = typeof name === 'string' && name !== '' && name.length <= 100;
  return isName && [type, toData, fromData].every((each) => typeof each === 'function');
}
