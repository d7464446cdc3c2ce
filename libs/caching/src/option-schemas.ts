import { z } from 'zod';
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
/** Any object. Functions too: a Knex instance is one. */
export const given = z.custom<object>((value) => Object(value) === value, 'use an object');
/** Something that a message of its own asks for. */
export const givenAs = (wanted: string) =>
  z.custom<object>((value) => typeof value === 'object' && value !== null, wanted);

/** A message for an object that is none; what it has too much is told apart, with what is allowed. */
export const unlessUnknown = (message: string) => ({
  error: (issue: { readonly code?: string }) => (issue.code === 'unrecognized_keys' ? undefined : message),
});

/** The fields that the object at this path may have. */
export function fieldsAt(schema: unknown, path: readonly PropertyKey[]): string[] {
  let shape = shapeOf(schema);
  for (const field of path) shape = shapeOf(shape[String(field)]);
  return Object.keys(shape);
}

/** The fields of an object, seen through its default. */
function shapeOf(schema: unknown): Readonly<Record<string, unknown>> {
  if (schema instanceof z.ZodPrefault) return shapeOf(schema.unwrap());
  return schema instanceof z.ZodObject ? schema.shape : {};
}
