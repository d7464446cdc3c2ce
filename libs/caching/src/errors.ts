import { describe, inBrackets } from './describe.js';

/** The base of everything that this library throws: a stable {@link code} and a message that names the remedy. */
export abstract class CachingError extends Error {
  /** Stable: safe to match on, the message is not. All of them are listed in docs/errors.md. */
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** One thing that is wrong with the options. */
export interface OptionProblem {
  /** Where: `caches.reports.ttl`. */
  readonly path: string;
  /** What is wrong and what is allowed. */
  readonly message: string;
}

/** Options that cannot be used. Holds every problem at once. */
export class InvalidOptionsError extends CachingError {
  readonly code = 'CACHING_INVALID_OPTIONS';

  constructor(readonly problems: readonly OptionProblem[]) {
    super(`The caching options have ${problemList(problems)}`);
  }
}

/** `2 problems:`, and each in a line of its own. */
export function problemList(problems: readonly OptionProblem[]): string {
  const lines = problems.map(({ path, message }) => `\n  - ${path === '' ? '(options)' : path}: ${message}`);
  return `${lines.length === 1 ? 'a problem' : `${lines.length} problems`}:${lines.join('')}`;
}

/** A duration that is neither milliseconds nor text such as `'15m'`. */
export class InvalidDurationError extends CachingError {
  readonly code = 'CACHING_INVALID_DURATION';

  constructor(readonly duration: unknown) {
    super(
      `${describe(duration)} is not a duration. Use milliseconds (60_000) or a number with a unit: ` +
        `'250ms', '30s', '15m', '12h', '7d'; null for a life without end where that is allowed.`,
    );
  }
}

/** A key or a version that cannot be used. */
export class InvalidKeyError extends CachingError {
  readonly code = 'CACHING_INVALID_KEY';
}

/** An argument that cannot be used, other than a key, a version or a duration. */
export class InvalidArgumentError extends CachingError {
  readonly code = 'CACHING_INVALID_ARGUMENT';
}

/** `CachingModule.forRoot` was imported twice. */
export class AlreadyConfiguredError extends CachingError {
  readonly code = 'CACHING_ALREADY_CONFIGURED';

  constructor() {
    super(
      'CachingModule.forRoot() is imported more than once in this application. Call it once, and give it several `caches` if ' +
        'you need more than one. Other modules inject CacheService without importing anything; with `isGlobal: false` keep what ' +
        'forRoot() answers in a const, and import that same const wherever it is needed.',
    );
  }
}

/** A cache name that is not configured. */
export class UnknownCacheError extends CachingError {
  readonly code = 'CACHING_UNKNOWN_CACHE';

  constructor(
    readonly cache: string,
    known: Iterable<string>,
  ) {
    super(
      `There is no cache named "${cache}". Configured: ${[...known].join(', ')}. ` +
        'Add it to `caches` in CachingModule.forRoot().',
    );
  }
}

/** A value that cannot be stored without loss. */
export class UnserializableValueError extends CachingError {
  readonly code = 'CACHING_UNSERIALIZABLE_VALUE';

  constructor(
    /** Where in the value, as `value.items[3].callback`. */
    readonly path: string,
    /** What was found there: `a function`. */
    readonly found: string,
    remedy: string,
  ) {
    super(`${path} is ${found}, which cannot be stored. ${remedy}`);
  }
}

/** A payload over what the backend or the cache takes. */
export class ValueTooLargeError extends CachingError {
  readonly code = 'CACHING_VALUE_TOO_LARGE';

  constructor(
    readonly size: number,
    readonly limit: number,
  ) {
    super(
      `The value takes ${size} bytes and the limit is ${limit}. Nothing is stored under this key now. ` +
        'Store less, or raise the limit of the cache.',
    );
  }
}

/** `increment` or `decrement` on a key that holds something other than a safe integer. */
export class NotANumberError extends CachingError {
  readonly code = 'CACHING_NOT_A_NUMBER';

  constructor() {
    super(
      'The key holds something other than a counter, or was stored with tags. increment() works on what increment() ' +
        'made and on safe integers written by set() without tags. Delete the key first, or use another one.',
    );
  }
}

/** `increment` or `decrement` past ±(2^53 − 1). The counter is left as it was. */
export class NumberOutOfRangeError extends CachingError {
  readonly code = 'CACHING_NUMBER_OUT_OF_RANGE';

  constructor() {
    super(
      'The counter would pass ±9007199254740991, the last integer that a number holds exactly. It is unchanged.',
    );
  }
}

/** `increment` or `decrement` on a key that is absent, without `initial`. */
export class MissingKeyError extends CachingError {
  readonly code = 'CACHING_MISSING_KEY';

  constructor() {
    super('The key is absent. Give `initial` to start a counter: increment(key, 1, { initial: 0, ttl }).');
  }
}

/** A backend cannot do what was asked. */
export class UnsupportedOperationError extends CachingError {
  readonly code = 'CACHING_UNSUPPORTED_OPERATION';

  constructor(
    readonly backend: string,
    readonly operation: string,
    remedy: string,
  ) {
    super(`The ${backend} backend cannot do ${operation}. ${remedy}`);
  }
}

/** A backend failed. The driver's own error is the `cause`; the message says its code, or what kind it is. */
export class BackendError extends CachingError {
  readonly code: string = 'CACHING_BACKEND_FAILED';

  constructor(
    readonly cache: string,
    readonly operation: string,
    options: ErrorOptions & { readonly message?: string },
  ) {
    super(
      options.message ??
        `The backend of cache "${cache}" failed in ${operation}${inBrackets(options.cause)}.`,
      options,
    );
  }
}

/** A backend did not answer within its deadline. */
export class BackendTimeoutError extends BackendError {
  override readonly code = 'CACHING_BACKEND_TIMEOUT';

  constructor(
    cache: string,
    operation: string,
    /** Milliseconds. */
    readonly deadline: number,
  ) {
    super(cache, operation, {
      message:
        `The backend of cache "${cache}" did not answer ${operation} within ${deadline} ms. ` +
        'Is the server up and near? The deadlines are options of the cache.',
    });
  }
}

/** A backend was not asked, because it has failed several times in a row; see `breaker`. The last failure is the `cause`. */
export class CircuitOpenError extends BackendError {
  override readonly code = 'CACHING_CIRCUIT_OPEN';

  constructor(cache: string, operation: string, options: ErrorOptions = {}) {
    super(cache, operation, {
      ...options,
      message:
        `The backend of cache "${cache}" has failed several times in a row${inBrackets(options.cause)}, so ${operation} ` +
        'was not tried. It is asked again shortly. Is the server up and near?',
    });
  }
}

/** A factory that waits for its own result, directly or through other keys. */
export class LoadCycleError extends CachingError {
  readonly code = 'CACHING_LOAD_CYCLE';

  constructor(
    /** The keys, shortened, from the first load to the one that closes the ring. */
    readonly chain: readonly string[],
  ) {
    super(
      `These loads wait for one another and would never end: ${chain.join(' → ')}. ` +
        'A factory must not ask for a key that is being loaded by itself or by one that waits for it.',
    );
  }
}

/** A load, or the wait for one, took longer than it may. */
export class LoadTimeoutError extends CachingError {
  readonly code = 'CACHING_LOAD_TIMEOUT';

  constructor(
    readonly cache: string,
    /** Milliseconds. */
    readonly timeout: number,
  ) {
    super(
      `A load in cache "${cache}" took longer than ${timeout} ms. Make the factory faster, give it a deadline of its own ` +
        'by its `signal`, or raise `timeout` (of the caller) or `loadTimeout` (of the cache).',
    );
  }
}

/** As many loads are running as the cache allows, and there is no stale value to serve. */
export class TooManyLoadsError extends CachingError {
  readonly code = 'CACHING_TOO_MANY_LOADS';

  constructor(
    readonly cache: string,
    readonly limit: number,
  ) {
    super(
      `Cache "${cache}" runs ${limit} loads at once already. Whatever the factories call is too slow for so many ` +
        'misses; allow stale values, or raise `maxConcurrentLoads`.',
    );
  }
}

/** A lock that others hold was not free in time. */
export class LockTimeoutError extends CachingError {
  readonly code = 'CACHING_LOCK_TIMEOUT';

  constructor(
    readonly lock: string,
    /** Milliseconds. */
    readonly wait: number,
  ) {
    super(`A lock was not free within ${wait} ms. Raise \`wait\`, or do the work later.`);
  }
}

/** An operation on a cache after `close()`. */
export class CacheClosedError extends CachingError {
  readonly code = 'CACHING_CLOSED';

  constructor(readonly cache: string) {
    super(`Cache "${cache}" is closed: the application has shut down. Nothing was read or written.`);
  }
}

/** An optional package is not installed. */
export class PeerMissingError extends CachingError {
  readonly code = 'CACHING_PEER_MISSING';

  constructor(
    readonly packageName: string,
    neededBy: string,
    options: ErrorOptions,
  ) {
    super(
      `${neededBy} needs the package "${packageName}", which is not installed. Run: npm install ${packageName}`,
      options,
    );
  }
}

/** An argument of a decorated method that no key can be made of. */
export class UnencodableArgumentError extends CachingError {
  readonly code = 'CACHING_UNENCODABLE_ARGUMENT';

  constructor(
    /** Where: `arguments[0]["filter"]`. */
    readonly path: string,
    /** What was found there: `an instance of User`. */
    readonly found: string,
  ) {
    super(
      `${path} is ${found}, and a key cannot be made of that. Say what the result depends on by the option \`key\`, ` +
        'as plain data: key: (user: User) => [user.id].',
    );
  }
}

/** A decorated method was called on an object that has no caches. */
export class NotConnectedError extends CachingError {
  readonly code = 'CACHING_NOT_CONNECTED';

  constructor(
    /** `ProductsService.find`. */
    readonly method: string,
  ) {
    super(
      `${method} has a decorator of nestjs-caching, and there are no caches for it. Import CachingModule.forRoot() in the ` +
        'root module (in this module, if it is not global), and let Nest make the instance, in tests as well: ' +
        "CachingModule.forRoot({ backend: 'null' }) keeps nothing.",
    );
  }
}

/** A decorator on something that it cannot work on, or with options that it does not know. */
export class InvalidDecorationError extends CachingError {
  readonly code = 'CACHING_INVALID_DECORATION';
}

/** Pages that cannot be found by what was given for them. */
export class InvalidPageTargetError extends CachingError {
  readonly code = 'CACHING_INVALID_PAGE_TARGET';
}

/** What needs the running application was asked for before it has started, or where there is none. */
export class NotStartedError extends CachingError {
  readonly code = 'CACHING_NOT_STARTED';
}
