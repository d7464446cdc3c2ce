import { randomUUID } from 'node:crypto';
import type { Payload } from '../backends/cache-backend.js';
import type { Clock } from '../clock.js';
import type { Duration } from '../duration.js';
import { CachingError, LockTimeoutError } from '../errors.js';
import { changeOf } from './journal.js';
import { type LockTerms, lockTerms } from './cache-service.options.js';
import type { Engine } from './engine.js';
import type { EntryCodec } from './payloads.js';

/** What a lock entry says: whose it is, and the fencing token. */
interface Holder {
  readonly owner: string;
  readonly token: number;
}

const LOCK_VERSION = 1;
/** How often a waiting caller looks, in milliseconds: at first, and at most. */
const FIRST_POLL_MS = 10;
const LAST_POLL_MS = 200;
/** How long the last fencing token of a name is remembered after its last lock. Afterwards the clock alone keeps order. */
const TOKEN_LIFE_MS = 30 * 86_400_000;

const lockCodec: EntryCodec<Holder> = {
  kind: 'lock',
  encode: (holder) => ({ codec: 1, body: Buffer.from(JSON.stringify(holder)) }),
  decode: (_codec, body) => JSON.parse(Buffer.from(body).toString()) as Holder,
};

/** A lock that this process holds. */
export class Lock implements AsyncDisposable {
  private readonly controller = new AbortController();
  private isOver = false;
  private cancelTimer: () => void = () => undefined;

  /** @internal Made by `CacheService.lock`. */
  constructor(
    /** Grows with every lock of the name: whoever writes under a lock can refuse a smaller token than it has seen. */
    readonly token: number,
    private readonly ttlMs: number,
    private readonly place: LockPlace,
    private readonly payload: Payload,
    askedAt: number,
  ) {
    this.holdUntil(askedAt + ttlMs);
  }

  /** Aborted when the lock has expired, as when it could not be extended, or is found lost: the cache was cleared. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /**
   * Holds the lock for as long again, counted from now; answers whether it was still held.
   *
   * @param ttl above 0; default: the `ttl` that it was taken with
   * @throws InvalidDurationError; InvalidArgumentError; BackendError
   */
  async extend(ttl: Duration = this.ttlMs): Promise<boolean> {
    const { ttlMs } = lockTerms({ ttl });
    if (this.isOver) return false;
    const askedAt = this.place.clock.monotonic();
    const isHeld = await this.place.replace(this.payload, this.payload, ttlMs);
    if (isHeld) this.holdUntil(askedAt + ttlMs);
    else this.lose();
    return !this.isOver;
  }

  /**
   * Gives the lock back; answers whether it was still held. It can be called again if it failed.
   *
   * @throws BackendError
   */
  async release(): Promise<boolean> {
    if (this.isOver) return false;
    const wasHeld = await this.place.remove(this.payload);
    this.end();
    return wasHeld;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** The store counts from when it was asked, or later: whoever cannot reach it knows by this clock when the lock is over. */
  private holdUntil(moment: number): void {
    this.cancelTimer();
    if (this.isOver) return;
    const { clock } = this.place;
    const left = moment - clock.monotonic();
    if (left <= 0) this.lose();
    else this.cancelTimer = clock.after(left, () => this.holdUntil(moment));
  }

  private end(): void {
    this.isOver = true;
    this.cancelTimer();
  }

  private lose(): void {
    if (this.isOver) return;
    this.end();
    this.controller.abort(new DOMException('The lock was lost.', 'AbortError'));
  }
}

/** Where the lock of one name is: two keys of the cache, one for the holder and one for the last token. */
class LockPlace {
  readonly clock: Clock;

  constructor(
    private readonly engine: Engine,
    private readonly segments: string,
  ) {
    this.clock = engine.clock;
  }

  /** Takes the lock if it is free. What is taken after its caller has been told of a failure is given back. */
  async take(ttlMs: number): Promise<Lock | undefined> {
    const { entries, policy } = this.engine;
    let hasFailed = false;
    let undo = (): void => undefined;
    const take = async () => {
      const [held, last] = await entries.lookAtAll(
        [this.address(this.segments), this.address(this.tokenKey)],
        [],
      );
      if (hasFailed || held === undefined || last === undefined || held.held !== undefined) return undefined;
      const previous = typeof last.held === 'number' ? last.held : 0;
      const token = Math.max(previous + 1, entries.clock.micros());
      const { fullKey, key } = held.pair;
      const owner = randomUUID();
      const value = { owner, token };
      const entry = { value, size: 0, createdAt: entries.now(), loadMs: 0, fullKey, guard: undefined };
      const payload = entries.payloads.of(lockCodec, entry);
      const askedAt = this.clock.monotonic();
      const taking = (async () =>
        held.payload === undefined
          ? entries.backend.add(key, payload, ttlMs)
          : entries.backend.compareAndSet(key, held.payload, payload, ttlMs))();
      undo = () => void this.giveBack(key, payload, owner, taking);
      if (!(await taking)) return undefined;
      await entries.backend.set(last.pair.key, token, TOKEN_LIFE_MS);
      return { token, payload, askedAt };
    };
    try {
      const taken = await policy.demand('lock', take);
      return taken && new Lock(taken.token, ttlMs, this, taken.payload, taken.askedAt);
    } catch (error) {
      hasFailed = true;
      undo();
      throw error;
    }
  }

  /** Nobody knows of this lock, so it would be held for the whole of its life. */
  private async giveBack(
    key: string,
    payload: Payload,
    owner: string,
    taking: Promise<boolean>,
  ): Promise<void> {
    const { entries } = this.engine;
    // What has failed may have taken effect all the same.
    if (!(await taking.catch(() => true))) return;
    const redo = async () => void (await entries.backend.compareAndDelete(key, payload));
    const change = { redo, isRemoval: true, size: key.length, at: entries.now() };
    await redo().catch(() => entries.journal.remember(changeOf.lock(owner), change));
  }

  /** Replaces what this process has put there. */
  async replace(held: Payload, payload: Payload, ttlMs: number): Promise<boolean> {
    return this.onKey((key) => this.engine.entries.backend.compareAndSet(key, held, payload, ttlMs));
  }

  async remove(held: Payload): Promise<boolean> {
    return this.onKey((key) => this.engine.entries.backend.compareAndDelete(key, held), true);
  }

  private async onKey(
    change: (key: string) => boolean | PromiseLike<boolean>,
    isRemoval = false,
  ): Promise<boolean> {
    const { entries, policy } = this.engine;
    return policy.demand(
      'lock',
      () => entries.onKey('lock', this.segments, LOCK_VERSION, ({ key }) => change(key)),
      isRemoval,
    );
  }

  private get tokenKey(): string {
    return `${this.segments}:token`;
  }

  private address(segments: string) {
    return { codec: lockCodec, segments, version: LOCK_VERSION };
  }
}

/** Mutual exclusion between everybody on a cache. */
export class Locks {
  private readonly clock: Clock;

  constructor(private readonly engine: Engine) {
    this.clock = engine.clock;
  }

  /** @throws LockTimeoutError if the lock is not free in time; BackendError */
  async acquire(name: string, segments: string, { ttlMs, waitMs }: LockTerms): Promise<Lock> {
    const place = new LockPlace(this.engine, segments);
    const end = this.clock.monotonic() + waitMs;
    for (let poll = FIRST_POLL_MS; ; poll = Math.min(2 * poll, LAST_POLL_MS)) {
      const lock = await place.take(ttlMs);
      if (lock !== undefined) return lock;
      const left = end - this.clock.monotonic();
      if (left <= 0) throw new LockTimeoutError(name, waitMs);
      await this.pause(Math.min(left, poll * (1 - this.engine.random() / 2)));
    }
  }

  /** Runs a function under a lock, which is kept as long as it runs and given back afterwards. */
  async runExclusive<R>(
    name: string,
    segments: string,
    terms: LockTerms,
    run: (lock: Lock) => R | Promise<R>,
  ): Promise<R> {
    const lock = await this.acquire(name, segments, terms);
    const stop = this.keep(lock, terms.ttlMs);
    try {
      return await run(lock);
    } finally {
      stop();
      // What the function has done is done, whether the lock can be given back or expires.
      await this.engine.policy.forgive('lock', async () => void (await lock.release()));
    }
  }

  private keep(lock: Lock, ttlMs: number): () => void {
    let isStopped = false;
    const extendLater = (): (() => void) =>
      this.clock.after(ttlMs / 3, () => {
        const extended = lock.extend(ttlMs).catch((error: unknown) => {
          // A failing backend is asked again: the lock may still be ours.
          if (error instanceof CachingError) return true;
          throw error;
        });
        void extended.then((isHeld) => {
          if (isHeld && !isStopped) cancel = extendLater();
        });
      });
    let cancel = extendLater();
    return () => {
      isStopped = true;
      cancel();
    };
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.clock.after(ms, resolve, true));
  }
}
