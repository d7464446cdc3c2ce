import type { InjectionToken } from '@nestjs/common';
import type { IncomingHttpHeaders } from 'node:http';
import { InvalidArgumentError } from '../errors.js';
import { isEntityTag, type Preconditions, type Validators } from './conditional.js';

/** What requests have in common on Express and Fastify; name your platform's own type where you need more. */
export interface ConditionRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
}

/** Finds providers of the application, of any module. Those of request scope cannot be had. */
export interface ProviderLookup {
  get<T>(token: InjectionToken<T>): T;
}

/** What a route knows of its current representation before it makes one. Called before the handler and its pipes. */
export interface ConditionOptions<R = ConditionRequest> {
  /** The tag of the current representation, with or without quotes; nothing if there is no representation. */
  readonly etag?: (request: R, providers: ProviderLookup) => Later<string>;
  /** When it was last changed; what is below a second does not count. */
  readonly lastModified?: (request: R, providers: ProviderLookup) => Later<Date>;
}

type Later<T> = T | null | undefined | PromiseLike<T | null | undefined>;

/**
 * Asks for the validators of the current representation.
 *
 * @throws InvalidArgumentError
 */
export async function currentValidators(
  { etag, lastModified }: ConditionOptions<never>,
  request: object,
  providers: ProviderLookup,
): Promise<Validators> {
  const [tag, date] = await Promise.all([
    etag?.(request as never, providers),
    lastModified?.(request as never, providers),
  ]);
  return { etag: given(tag, quoted), lastModified: given(date, timeOf) };
}

/** The preconditions of a request. */
export function preconditionsOf(headers: IncomingHttpHeaders): Preconditions {
  return {
    ifMatch: headers['if-match'],
    ifUnmodifiedSince: headers['if-unmodified-since'],
    ifNoneMatch: headers['if-none-match'],
    ifModifiedSince: headers['if-modified-since'],
  };
}

function given<T, R>(value: T | null | undefined, read: (value: T) => R): R | undefined {
  return value === null || value === undefined ? undefined : read(value);
}

function quoted(tag: string): string {
  const text = isEntityTag(tag) ? tag : `"${tag}"`;
  if (isEntityTag(text)) return text;
  throw new InvalidArgumentError(
    '@Condition: `etag` gave a text that cannot be a tag: it has quotes, blanks, control characters or characters ' +
      'beyond Latin-1. Give a version number or a digest.',
  );
}

function timeOf(date: Date): number {
  const time = date.getTime();
  if (!Number.isNaN(time)) return time;
  throw new InvalidArgumentError(
    '@Condition: `lastModified` gave an invalid Date. Give none if there is none.',
  );
}
