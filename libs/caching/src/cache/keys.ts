import { hash } from 'node:crypto';
import { InvalidArgumentError, InvalidKeyError } from '../errors.js';

/** The longest final key, in bytes: what memcached takes. A longer one ends in a digest. */
export const MAX_KEY_BYTES = 250;

/** 128 bits of SHA-256 in hexadecimal. */
const DIGEST_LENGTH = 32;

/**
 * What stands between the head of a digested key and its digest. It is escaped everywhere else, so no short key can be
 * spelled like a digested one.
 */
export const DIGEST_MARK = '~';

/** What a key is for. Part of it, so that the layers never meet. */
export type KeyKind = 'value' | 'page' | 'fragment' | 'lock';

const KIND_SEGMENT: Record<KeyKind, string> = { value: 'v', page: 'p', fragment: 'f', lock: 'l' };

/** Anything but printable ASCII; and `%` (the escape), `{` `}` (cluster slots), `~` (the digest mark). */
const UNSAFE = /[^!-$&-z|]/;
const UNSAFE_ALL = /[^!-$&-z|]/gu;
/** In a segment that others follow, the separator as well. */
const UNSAFE_SEGMENT = /[^!-$&-9;-z|]/;
const UNSAFE_SEGMENT_ALL = /[^!-$&-9;-z|]/gu;

/**
 * The final keys of one cache: `prefix:cache:epoch:version:kind:segments`. Distinct inputs give distinct keys, all of
 * them legal on the strictest backend: printable ASCII without spaces, at most {@link MAX_KEY_BYTES} bytes.
 */
export class KeySpace {
  /** What every key of this cache begins with. */
  readonly root: string;
  /** Where the epoch and the invalidation stamp are recorded. An epoch never begins with `@`. */
  readonly controlKey: string;

  constructor(keyPrefix: string, cache: string) {
    this.root = `${escapeSegment(keyPrefix)}:${escapeSegment(cache)}:`;
    this.controlKey = `${this.root}@control`;
  }

  /** Where a tag is recorded, whatever the epoch. */
  tagKey(tag: string): string {
    return boundedKey(`${this.root}@tag:${escapeKey(tag)}`);
  }

  /** A full key without its epoch: `version:kind:segments`. */
  pathOf(fullKey: string): string {
    return fullKey.slice(fullKey.indexOf(':', this.root.length) + 1);
  }

  /** The same, from its parts. */
  path(version: number, kind: KeyKind, segments: string): string {
    return `${version}:${KIND_SEGMENT[kind]}:${segments}`;
  }

  /** What every key of an epoch begins with. */
  epochPrefix(epoch: number): string {
    return `${this.root}${epoch.toString(36)}:`;
  }

  /** The same of a key; of a record of the cache it is no epoch's. */
  epochPrefixOf(key: string): string {
    return key.slice(0, key.indexOf(':', this.root.length) + 1);
  }

  /** What every key of an epoch, version and kind begins with. */
  base(epoch: number, version: number, kind: KeyKind): string {
    return `${this.epochPrefix(epoch)}${version}:${KIND_SEGMENT[kind]}:`;
  }
}

/** A full key cut to its bound: itself, or its readable head and a digest of all of it. */
export function boundedKey(fullKey: string): string {
  if (fullKey.length <= MAX_KEY_BYTES) return fullKey;
  const digest = hash('sha256', fullKey, 'hex').slice(0, DIGEST_LENGTH);
  return `${fullKey.slice(0, MAX_KEY_BYTES - DIGEST_LENGTH - 1)}${DIGEST_MARK}${digest}`;
}

/** Escapes the last part of a key. A colon stays, so that `user:42` reads as such in the backend. */
export function escapeKey(key: string): string {
  return UNSAFE.test(key) ? key.replace(UNSAFE_ALL, escapeCharacter) : key;
}

/** The key that {@link escapeKey} has escaped. */
export function unescapeKey(escaped: string): string {
  if (!escaped.includes('%')) return escaped;
  return escaped.replace(/(?:%[0-9A-F]{2})+|%u[0-9A-F]{4}/g, (run) =>
    run.startsWith('%u') ? String.fromCharCode(parseInt(run.slice(2), 16)) : decodeURIComponent(run),
  );
}

/** Escapes a part of a key that another part follows. */
export function escapeSegment(segment: string): string {
  return UNSAFE_SEGMENT.test(segment) ? segment.replace(UNSAFE_SEGMENT_ALL, escapeCharacter) : segment;
}

/** The key itself. @throws InvalidKeyError unless it is a string. Every string is legal. */
export function checkedKey(key: unknown): string {
  if (typeof key !== 'string') throw notAKey(key);
  return key;
}

/** A list of keys. Not one key alone: a string is a list, too, of its characters. */
export type Keys = Iterable<string> & object;

/** Each key once. @throws InvalidArgumentError unless they are a list */
export function uniqueKeys(keys: Keys): string[] {
  const given: unknown = keys;
  if (typeof given === 'object' && given !== null && Symbol.iterator in given) return [...new Set(keys)];
  throw new InvalidArgumentError("Keys are a list, also where there is one: ['user:1'].");
}

/**
 * @throws InvalidKeyError unless the version is a non-negative safe integer
 */
export function assertVersion(version: unknown): asserts version is number {
  if (Number.isSafeInteger(version) && (version as number) >= 0 && !Object.is(version, -0)) return;
  throw new InvalidKeyError(
    `A version must be a non-negative safe integer such as 1, 2, 3; got ${typeof version}.`,
  );
}

/** UTF-8 percent encoding, as in a URL; a lone surrogate, which UTF-8 cannot carry, as `%uD800`. */
function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code >= 0xd800 && code <= 0xdfff) return `%u${code.toString(16).toUpperCase()}`;
  if (code >= 0x80) return encodeURIComponent(character);
  return `%${code.toString(16).toUpperCase().padStart(2, '0')}`;
}

function notAKey(key: unknown): InvalidKeyError {
  return new InvalidKeyError(
    `A key must be a string, and this one is ${key === null ? 'null' : `of type ${typeof key}`}. ` +
      'Build one from the parts that matter, such as `user:${id}`.',
  );
}
