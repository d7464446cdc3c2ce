import { z } from 'zod';
import type { ValueConverter } from './cache/converters.js';
import { escapeSegment } from './cache/keys.js';
import { type Duration, toMs, type Ttl, ttlToMs } from './duration.js';
import type { OptionProblem } from './errors.js';
import { at, reportUnknown } from './option-problems.js';

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
  durationWithin(least, most, `at least ${least} ms and at most ${most} ms`);
/** A duration where 0 or less means none. */
export const durationUpTo = (most: number) => durationWithin(-Infinity, most, `at most ${most} ms`);
/** A whole number within bounds. */
export const count = (least: number, most: number) =>
  z.custom<number>(
    (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
    `use a whole number from ${least} to ${most}`,
  );
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
    'use a list of converters',
  )
  .refine((all) => new Set(all.map((each) => each.name)).size === all.length, 'two have one name')
  .refine((all) => new Set(all.map((each) => each.type)).size === all.length, 'two are for one class');
/** Any object. Functions too: a Knex instance is one. */
export const given = z.custom<object>((value) => Object(value) === value, 'use an object');
/** A function that is called, with what belongs to it. */
export const called = (wanted: string) =>
  z.custom<(...given: never[]) => never>((value) => typeof value === 'function', wanted);
/** Something that a message of its own asks for. */
export const givenAs = (wanted: string) =>
  z.custom<object>((value) => typeof value === 'object' && value !== null, wanted);

function durationWithin(least: number, most: number, bounds: string) {
  return z.custom<Duration>((value) => {
    if (!isValid(() => toMs(value as Duration))) return false;
    const ms = toMs(value as Duration);
    return ms >= least && ms <= most;
  }, `use ${DURATION}; ${bounds}`);
}

function isConverter(value: unknown): boolean {
  const { name, type, toData, fromData } = (value ?? {}) as Partial<Record<keyof ValueConverter, unknown>>;
  const isName = typeof name === 'string' && name !== '' && name.length <= 100;
  return isName && [type, toData, fromData].every((each) => typeof each === 'function');
}

/** A message for an object that is none; what it has too much is told apart, with what is allowed. */
export const unlessUnknown = (message: string) => ({
  error: (issue: { readonly code?: string }) => (issue.code === 'unrecognized_keys' ? undefined : message),
});

/** The fields that the object at this path may have. */
function fieldsAt(schema: unknown, path: readonly PropertyKey[]): string[] {
  let inner = bare(schema);
  for (const field of path) {
    if (inner instanceof z.ZodRecord) inner = bare(inner.valueType);
    else inner = inner instanceof z.ZodObject ? bare(inner.shape[String(field)]) : undefined;
  }
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

/** A schema without its default and without what is made of its result; of several the one for objects. */
function bare(schema: unknown): unknown {
  if (schema instanceof z.ZodPipe) return bare(schema.in);
  if (schema instanceof z.ZodUnion)
    return schema.options.map(bare).find((each) => each instanceof z.ZodObject);
  const isWrapped =
    schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault || schema instanceof z.ZodOptional;
  return isWrapped ? bare(schema.unwrap()) : schema;
}

/** The value as a schema makes it; `undefined` if there are problems, which are reported with their places. */
export function parse<S extends z.ZodType>(
  schema: S,
  value: unknown,
  path: string,
  problems: OptionProblem[],
): z.output<S> | undefined {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const place = at(path, issue.path.join('.'));
    if (issue.code === 'unrecognized_keys')
      reportUnknown(issue.keys, fieldsAt(schema, issue.path), place, problems);
    else problems.push({ path: place, message: issue.message });
  }
  return undefined;
}
