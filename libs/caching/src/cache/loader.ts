import type { Clock } from '../clock.js';
import { CacheClosedError, TooManyLoadsError } from '../errors.js';
import { bounded, type BoundedCaller, type CallerBounds } from './caller-bounds.js';
import type { Entries, Sight } from './entries.js';
import type { Entry } from './entry.js';
import type { FailurePolicy } from './failure-policy.js';
import { Flight, type FlightAddress, flightId, waitFor } from './flight.js';
import type { Landing } from './landing.js';
import { leaseIn, type Leases } from './leases.js';
import { LoadErrors } from './load-errors.js';
import type { LoadPlan } from './load-plan.js';
import { LoadRun } from './load-run.js';
import { contentOf, entryOf } from './payloads.js';
import { type FirstLook, Looks } from './looks.js';
import { RunningFlights } from './running-flights.js';
import { currentTagScope, dependenciesOf } from './tag-scope.js';

/** A load that a layer asks for. */
export interface LoadRequest<T> extends LoadPlan<T>, CallerBounds {
  /** For messages. */
  readonly shownKey: string;
  /** How long a failure is answered without another run, in milliseconds. */
  readonly errorTtlMs: number;
  /** What becomes of the load when everybody has left who waited for it. */
  readonly whenAbandoned?: 'finish' | 'abort' | undefined;
  /** A look that was taken already. */
  readonly first?: FirstLook<T> | undefined;
  /** How long the flight may take, in milliseconds, where it is not the cache's `loadTimeout`. */
  readonly flightTimeoutMs?: number | undefined;
  /** The batch that it is part of: all loads of one batch count as one. */
  readonly batch?: object | undefined;
  /** Whether a refresh keeps its caller waiting, because what makes the value cannot run later. Others get the stale value. */
  readonly refreshesInPlace?: boolean;
}

/** What a caller gets. */
export interface Served<T> {
  readonly content: T | number | undefined;
  readonly state: 'hit' | 'stale' | 'loaded';
  /** The entry as it is held, or what the load has come to. */
  readonly source: Entry<T> | Landing<T> | undefined;
}

export interface LoaderOptions {
  readonly maxConcurrentLoads: number;
  readonly loadTimeoutMs: number;
}

/** A load that was outdated before it ended is begun anew so often for callers that came after the invalidation. */
const MAX_TURNS = 5;

/**
 * The story of `getOrSet`, for values, fragments and pages alike: look; fresh → serve; stale → serve and refresh once in
 * the background; else join the flight of the key, or start one under a lease.
 */
export class Loader {
  /** Looks that loads may begin with. */
  readonly looks: Looks;
  private readonly flights = new RunningFlights();
  private readonly errors: LoadErrors;
  private readonly loadRun: LoadRun;
  private started = 0;
  private isClosed = false;

  constructor(
    private readonly name: string,
    private readonly entries: Entries,
    policy: FailurePolicy,
    leases: Leases,
    private readonly options: LoaderOptions,
    private readonly clock: Clock,
    random: () => number,
  ) {
    this.looks = new Looks(entries, policy);
    this.errors = new LoadErrors(clock, random);
    this.loadRun = new LoadRun(entries, policy, leases, clock, random);
  }

  /** The value of a key: what is held, or what the factory makes. */
  load<T>(request: LoadRequest<T>): Promise<Served<T>> {
    return this.serveBounded(request, request.first);
  }

  /**
   * As {@link load} for many keys, with one look at all of them, or with those that were taken. `begun` is told how many
   * flights have begun at once.
   */
  async loadMany<T>(
    requests: readonly LoadRequest<T>[],
    begun: (flights: number) => void,
    taken?: readonly FirstLook<T>[],
  ): Promise<Served<T>[]> {
    const looks = taken ?? (await this.looks.ahead(requests));
    const before = this.started;
    const served = requests.map((request, index) => this.serveBounded(request, looks[index]));
    begun(this.started - before);
    return Promise.all(served);
  }

  /** Whether the lease with this token is that of a flight of this process. */
  holds(address: FlightAddress, token: string): boolean {
    return this.flights.of(flightId(address))?.token === token;
  }

  /** Lets nobody join the flight of a key from now on: the key was written. */
  detach(address: FlightAddress): void {
    this.flights.detach(flightId(address));
  }

  /** Forgets a failure of the key, because it was written. */
  forgetError(address: FlightAddress): void {
    this.errors.forget(flightId(address));
  }

  /** Waits for running loads as long as it may, and aborts the rest. No load begins afterwards. */
  async drain(limitMs: number): Promise<void> {
    this.isClosed = true;
    await this.flights.drain(limitMs, this.clock, () => new CacheClosedError(this.name));
  }

  /** Serves a caller within its bounds, and tells the tags of what it gets to whatever is being made of it. */
  private serveBounded<T>(request: LoadRequest<T>, first: FirstLook<T> | undefined): Promise<Served<T>> {
    const { timeoutMs, softTimeoutMs, signal } = request;
    const isUnbounded = timeoutMs === undefined && softTimeoutMs === undefined && signal === undefined;
    const serving = isUnbounded
      ? this.serve(request, undefined, first)
      : bounded<Served<T>>(this.name, request, this.clock, (caller) => this.serve(request, caller, first));
    const scope = currentTagScope();
    if (scope === undefined) return serving;
    return serving.then((served) => {
      scope.note(this.entries.tags, dependenciesOf(served.source));
      return served;
    });
  }

  private async serve<T>(
    request: LoadRequest<T>,
    caller: BoundedCaller<Served<T>> | undefined,
    first: FirstLook<T> | undefined,
  ): Promise<Served<T>> {
    const { counters } = this.entries;
    for (let turn = 1; ; turn += 1) {
      const isGiven = turn === 1 && first !== undefined;
      const order = isGiven ? first.order : this.looks.order();
      const sight = isGiven ? first.sight : await this.looks.at(request.address, request.life.tags);
      if (sight?.freshness === 'fresh') {
        counters.hits += 1;
        return { content: contentOf(sight.held), state: 'hit', source: entryOf(sight.held) };
      }
      if (caller?.hasLeft === true && request.whenAbandoned === 'abort') throw nobodyWaits();
      const stale = sight?.freshness === 'stale' ? entryOf(sight.held) : undefined;
      if (stale !== undefined) caller?.offer(() => this.served(stale));
      if (stale !== undefined && this.isServable(stale, request, sight as Sight<T>))
        return this.served(stale);
      const failure = this.errors.recent(flightId(request.address));
      if (failure !== undefined) return this.fallBack(stale, failure.error, caller, request);
      counters.misses += turn === 1 ? 1 : 0;
      try {
        const flight = this.join(request, sight, order);
        if (flight === undefined) continue;
        const landing = await this.await(flight, request, caller);
        const isOutdated = landing.outdatedFrom !== undefined && (sight?.stamp ?? 0) >= landing.outdatedFrom;
        if ((isOutdated || order > landing.seenAt) && turn < MAX_TURNS) continue;
        return { content: landing.content, state: 'loaded', source: landing };
      } catch (error) {
        return this.fallBack(stale, error, caller, request);
      }
    }
  }

  /** A stale value hides a failure as long as it may. */
  private fallBack<T>(
    stale: Entry<T> | undefined,
    error: unknown,
    caller: BoundedCaller<Served<T>> | undefined,
    { refreshesInPlace }: LoadRequest<T>,
  ): Served<T> {
    const now = this.entries.now();
    const guard = stale?.guard;
    const isUsable =
      guard !== undefined &&
      (now < guard.errorUntil || (refreshesInPlace === true && now < guard.revalidateUntil));
    if (stale === undefined || !isUsable || caller?.hasLeft === true) throw error;
    return this.served(stale);
  }

  private served<T>(stale: Entry<T>): Served<T> {
    this.entries.counters.stale += 1;
    return { content: stale.value, state: 'stale', source: stale };
  }

  /** Whether a stale value is served without waiting; sees to its refresh. */
  private isServable<T>(stale: Entry<T>, request: LoadRequest<T>, sight: Sight<T>): boolean {
    const { guard } = stale;
    if (guard === undefined) return false;
    const now = this.entries.now();
    if (now < guard.retryAt) return true;
    if (now >= guard.revalidateUntil) return false;
    const isRefreshed =
      leaseIn(sight, now) !== undefined || this.flights.of(flightId(request.address)) !== undefined;
    if (isRefreshed || this.isFull(request) || this.isClosed) return true;
    if (request.refreshesInPlace === true) return false;
    this.start(request, sight, true);
    return true;
  }

  /** The flight that will answer, begun if need be; `undefined` when only a new look can tell. */
  private join<T>(
    request: LoadRequest<T>,
    sight: Sight<T> | undefined,
    order: number,
  ): Flight<T> | undefined {
    const running = this.flights.of(flightId(request.address)) as Flight<T> | undefined;
    if (running !== undefined && this.isJoinable(running, sight)) {
      waitFor(running);
      this.entries.counters.coalesced += 1;
      return running;
    }
    // The look may be older than the lease that it did not see.
    if (running?.loadingSince !== undefined && order < running.loadingSince) return undefined;
    if (this.isClosed) throw new CacheClosedError(this.name);
    if (this.isFull(request)) throw new TooManyLoadsError(this.name, this.options.maxConcurrentLoads);
    return this.start(request, sight, false);
  }

  private isFull<T>({ batch }: LoadRequest<T>): boolean {
    return this.flights.isFull(this.options.maxConcurrentLoads, batch);
  }

  /**
   * Whether nothing has been invalidated since the flight's load began, as far as the look can tell. Whoever could not look
   * takes what there is.
   */
  private isJoinable<T>(flight: Flight<T>, sight: Sight<T> | undefined): boolean {
    if (flight.loadingSince === undefined || sight === undefined) return true;
    if (flight.token === undefined) return !this.entries.backend.capabilities.stores;
    return leaseIn(sight, -Infinity)?.token === flight.token;
  }

  private start<T>(request: LoadRequest<T>, sight: Sight<T> | undefined, isBackground: boolean): Flight<T> {
    this.started += 1;
    const id = flightId(request.address);
    const flight = new Flight<T>(id, request.shownKey, request.batch);
    // A refresh is wanted by the cache itself.
    if (isBackground) flight.waiting += 1;
    else waitFor(flight);
    this.flights.add(flight);
    const timeoutMs = request.flightTimeoutMs ?? this.options.loadTimeoutMs;
    const cancel = this.clock.after(timeoutMs, () =>
      this.flights.giveUp(flight, () => this.loadRun.timeout(this.name, timeoutMs)),
    );
    const begun = (): void => void (flight.loadingSince = this.looks.order());
    const end = (): void => {
      cancel();
      this.flights.remove(flight);
    };
    flight.promise.then(end, end);
    this.loadRun
      .run(flight, request, sight, begun, () => this.looks.order())
      .then(
        (landing) => flight.land(landing),
        (error: unknown) => {
          if (!flight.isOver) this.errors.note(id, error, request.errorTtlMs);
          flight.fail(error);
        },
      );
    return flight;
  }

  /** Waits as one of those whose leaving may end the load. */
  private async await<T>(
    flight: Flight<T>,
    { whenAbandoned }: LoadRequest<T>,
    caller: BoundedCaller<Served<T>> | undefined,
  ): Promise<Landing<T>> {
    flight.waiting += 1;
    if (caller !== undefined) {
      caller.onLeave = () => {
        flight.waiting -= 1;
        if (flight.waiting > 0 || whenAbandoned !== 'abort' || flight.isOver) return;
        this.flights.giveUp(flight, nobodyWaits);
      };
    }
    return flight.promise;
  }
}

function nobodyWaits(): DOMException {
  return new DOMException('Nobody waits for this load any more.', 'AbortError');
}
