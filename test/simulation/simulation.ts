import type { CacheService } from 'nestjs-caching';
import { CacheRegistry } from '../../libs/caching/src/cache/cache-registry.js';
import type { Engine } from '../../libs/caching/src/cache/engine.js';
import { resolveOptions } from '../../libs/caching/src/resolve-options.js';
import { History, type Observed } from './history.js';
import { type Faults, SimulatedBackend, Store } from './store.js';
import { NodeClock, World } from './world.js';

const KEYS = ['a', 'b', 'c', 'd'];
const TAGS = ['even', 'odd', 'all'];
const TTL = 2000;
const LOAD_TIMEOUT = 4000;
/** A call ends within: the looks and the lease, the flight's own end, the write, and turns of waiting. */
const LONGEST_CALL = 60_000;

interface Node {
  readonly clock: NodeClock;
  readonly backend: SimulatedBackend;
  readonly cache: CacheService;
  /** Calls that were made and have ended. */
  readonly calls: { begun: number; settled: number };
}

/** What a seed draws before anything happens. */
interface Plan {
  readonly nodes: number;
  readonly faults: Faults;
  readonly hasCrashes: boolean;
  readonly hasClockJumps: boolean;
  readonly hasEvictions: boolean;
  /** The store goes back to an older state. Then the source is changed with tags alone, and no node crashes. */
  readonly hasRestore: boolean;
  readonly staleMs: number;
  /** Nothing goes wrong: then a key is never loaded twice at once. */
  readonly isQuiet: boolean;
}

export interface Outcome {
  readonly violations: readonly string[];
  readonly loads: number;
  readonly reads: number;
  readonly fenced: number;
}

/** Wraps a backend, to see that the checks can fail. */
export type Sabotage = (backend: SimulatedBackend) => void;

/** One history of several nodes over one store, the same for the same seed. */
export class Simulation {
  private readonly world: World;
  private readonly store: Store;
  private readonly history = new History();
  private readonly source = new Map(KEYS.map((key) => [key, 1]));
  private readonly nodes: Node[] = [];
  private readonly plan: Plan;
  private loads = 0;
  private reads = 0;
  private areFaultsOver = false;

  constructor(
    seed: number,
    private readonly sabotage: Sabotage = () => undefined,
  ) {
    this.world = new World(seed);
    this.store = new Store(this.world);
    const { world } = this;
    const isRough = world.happens(0.7);
    const hasRestore = world.happens(0.15);
    const plan = {
      nodes: 2 + Math.floor(world.between(0, 3)),
      faults: {
        delay: world.pick([1, 5, 40]),
        drop: isRough ? world.pick([0, 0.02, 0.1]) : 0,
        duplicate: isRough ? world.pick([0, 0.1]) : 0,
        error: isRough ? world.pick([0, 0.05]) : 0,
      },
      hasCrashes: !hasRestore && world.happens(0.4),
      hasClockJumps: world.happens(0.4),
      hasEvictions: world.happens(0.3),
      hasRestore,
      staleMs: world.pick([0, 0, 5000]),
    };
    const { drop, duplicate, error } = plan.faults;
    const hasTrouble = plan.hasCrashes || plan.hasClockJumps || plan.hasEvictions || hasRestore;
    this.plan = { ...plan, isQuiet: drop + duplicate + error === 0 && !hasTrouble };
  }

  async run(): Promise<Outcome> {
    for (let index = 0; index < this.plan.nodes; index += 1) this.nodes.push(await this.open());
    for (const node of this.nodes) void this.work(node);
    void this.trouble();
    await this.world.runUntil(12_000);
    this.areFaultsOver = true;
    for (const { backend } of this.nodes) backend.faults = { delay: 5, drop: 0, duplicate: 0, error: 0 };
    await this.world.runUntil(12_000 + LONGEST_CALL);
    await this.converge();
    this.checkLeftovers();
    const fenced = this.nodes.reduce((sum, { cache }) => sum + cache.statistics.fenced, 0);
    return { violations: this.history.violations, loads: this.loads, reads: this.reads, fenced };
  }

  private async open(): Promise<Node> {
    const clock = new NodeClock(this.world, this.world.between(-2000, 2000));
    const backend = new SimulatedBackend(this.world, this.store, this.plan.faults);
    this.sabotage(backend);
    const options = resolveOptions({
      backend,
      keyPrefix: 'sim',
      ttl: TTL,
      staleIfError: this.plan.staleMs,
      staleWhileRevalidate: this.plan.staleMs,
      loadTimeout: LOAD_TIMEOUT,
      leaseTtl: 1000,
      seed: Math.floor(this.world.between(0, 1_000_000)),
    });
    const registry = await CacheRegistry.open(options, clock);
    return { clock, backend, cache: registry.get().service, calls: { begun: 0, settled: 0 } };
  }

  /** One client after another on a node, several at once. */
  private async work(node: Node): Promise<void> {
    while (this.world.now < 12_000 && !node.clock.isCrashed) {
      void this.act(node);
      await this.world.sleep(this.world.between(1, 250));
    }
  }

  private async act(node: Node): Promise<void> {
    const { world, plan } = this;
    const key = world.pick(KEYS);
    const kind = world.random();
    node.calls.begun += 1;
    const startedAt = world.now;
    try {
      if (kind < 0.45) await this.load(node, key);
      else if (kind < 0.55) await this.loadMany(node);
      else if (kind < 0.7) this.saw('get', key, startedAt, await node.cache.get<Observed>(key), TTL);
      else if (kind < 0.75) {
        for (const [read, value] of await node.cache.getMany<Observed>(KEYS))
          this.saw('getMany', read, startedAt, value, TTL);
      } else if (kind < 0.9 || plan.hasRestore) await this.invalidate(node, world.pick(TAGS));
      else if (kind < 0.94) await this.change([key], `delete(${key})`, () => node.cache.delete(key));
      else if (kind < 0.97) await this.write(node, key);
      else if (kind < 0.98) await this.change(KEYS, 'clear()', () => node.cache.clear());
      else await node.cache.touch(key, TTL);
    } catch {
      // A call that fails has not promised anything.
    }
    node.calls.settled += 1;
  }

  private async load({ cache, clock }: Node, key: string): Promise<void> {
    const startedAt = this.world.now;
    const failuresBefore = failuresOf(cache);
    const isLate = this.world.happens(0.3);
    const tags = tagsOf(key);
    const value = await cache.getOrSet<Observed>(
      key,
      async ({ addTags }) => {
        const made = await this.factory(key, clock, startedAt);
        if (isLate) addTags(tags);
        return made;
      },
      isLate ? {} : { tags },
    );
    // Whoever cannot ask the store shares what its process is loading.
    if (failuresOf(cache) !== failuresBefore) return;
    this.saw('getOrSet', key, startedAt, value, TTL + this.plan.staleMs);
  }

  private async loadMany({ cache, clock }: Node): Promise<void> {
    const startedAt = this.world.now;
    const failuresBefore = failuresOf(cache);
    const values = await cache.getOrSetMany<Observed>(
      KEYS,
      async (missing) => {
        const loads = missing.map(async (key) => [key, await this.factory(key, clock, startedAt)] as const);
        // A batch that fails ends when the last of its parts does.
        await Promise.allSettled(loads);
        return new Map(await Promise.all(loads));
      },
      { tags: TAGS },
    );
    if (failuresOf(cache) !== failuresBefore) return;
    for (const [key, value] of values)
      this.saw('getOrSetMany', key, startedAt, value, TTL + this.plan.staleMs);
  }

  private async factory(key: string, clock: NodeClock, askedAt: number): Promise<Observed> {
    this.loads += 1;
    const isQuiet = this.plan.isQuiet && this.nodes.every(({ cache }) => failuresOf(cache) === 0);
    const run = isQuiet
      ? this.history.begunRun(key, askedAt, this.world.now, LOAD_TIMEOUT)
      : { endedAt: Infinity };
    try {
      return await this.read(key, clock);
    } finally {
      run.endedAt = this.world.now;
    }
  }

  private async read(key: string, clock: NodeClock): Promise<Observed> {
    await this.world.sleep(this.world.between(0, 30));
    const value = { key, version: this.source.get(key) ?? 0, readAt: this.world.now };
    const isSlow = !this.areFaultsOver && this.world.happens(0.05);
    await this.world.sleep(isSlow ? this.world.between(0, 6000) : this.world.between(0, 150));
    if (clock.isCrashed) return new Promise(() => undefined);
    if (!this.areFaultsOver && this.world.happens(0.05)) throw new Error('the source has failed');
    return value;
  }

  private async invalidate({ cache }: Node, tag: string): Promise<void> {
    const keys = KEYS.filter((key) => tagsOf(key).includes(tag));
    await this.change(keys, `invalidateTags(${tag})`, () => cache.invalidateTags([tag]));
  }

  /** Changes the source first and the cache then. */
  private async change(keys: readonly string[], what: string, change: () => Promise<unknown>): Promise<void> {
    for (const key of keys) this.source.set(key, (this.source.get(key) ?? 0) + 1);
    const versions = new Map(keys.map((key) => [key, this.source.get(key) ?? 0]));
    const startedAt = this.world.now;
    // What a batch has loaded depends on all tags.
    const begun = this.history.begunChange(KEYS);
    await change();
    begun.endedAt = this.world.now;
    this.history.acknowledged(what, startedAt, this.world.now, versions);
  }

  private async write({ cache }: Node, key: string): Promise<void> {
    const version = (this.source.get(key) ?? 0) + 1;
    this.source.set(key, version);
    const startedAt = this.world.now;
    const write = this.history.begunWrite(key, version, startedAt);
    const begun = this.history.begunChange([key]);
    await cache.set(key, { key, version, readAt: startedAt } satisfies Observed, { tags: tagsOf(key) });
    write.endedAt = this.world.now;
    begun.endedAt = this.world.now;
    this.history.acknowledged(`set(${key})`, startedAt, this.world.now, new Map([[key, version]]));
  }

  private saw(
    how: string,
    key: string,
    startedAt: number,
    value: Observed | undefined,
    maxAge: number,
  ): void {
    this.reads += 1;
    // A life begins when the result is stored; a clock of the store that is set back lengthens it.
    const slack = this.plan.hasClockJumps ? Infinity : LOAD_TIMEOUT + 5000;
    this.history.observed(how, key, startedAt, value, maxAge + slack, this.world.now);
  }

  /** What goes wrong beside the network. */
  private async trouble(): Promise<void> {
    const { world, plan, store } = this;
    while (world.now < 11_000) {
      await world.sleep(world.between(200, 2500));
      if (plan.hasCrashes && this.nodes.length > 1 && world.happens(0.4)) this.crash();
      if (plan.hasClockJumps && world.happens(0.5))
        world.pick(this.nodes).clock.jump(world.between(-3_600_000, 3_600_000));
      if (plan.hasClockJumps && !plan.hasRestore && world.happens(0.2))
        store.jump(world.between(-5000, 5000));
      if (plan.hasEvictions) store.evict((key) => world.happens(0.5) || key.includes('@'));
      if (!plan.hasRestore) continue;
      if (world.happens(0.5)) store.save();
      else await this.restore();
    }
  }

  /** A node dies: nothing of it goes on, and another one takes its place. */
  private crash(): void {
    const victim = this.world.pick(this.nodes);
    victim.clock.isCrashed = true;
    victim.backend.isCut = true;
    this.nodes.splice(this.nodes.indexOf(victim), 1);
    void this.open().then((node) => {
      this.nodes.push(node);
      void this.work(node);
    });
  }

  /**
   * The store loses its latest writes. Every node looks once; from then on nothing may have come back. A read that is on its
   * way meanwhile may have seen half of either state.
   */
  private async restore(): Promise<void> {
    this.history.restored(Infinity);
    this.store.restore();
    const looks = this.nodes.map(({ cache }) => cache.get('look').catch(() => undefined));
    await Promise.race([Promise.all(looks), this.world.sleep(2000)]);
    this.history.restored(this.world.now);
  }

  /** When nothing goes wrong any more, all nodes agree on the source. */
  private async converge(): Promise<void> {
    const values: Observed[] = [];
    const done = (async () => {
      const [first] = this.nodes;
      await first?.cache.invalidateTags(['all']);
      for (const { cache, clock } of this.nodes) {
        for (const key of KEYS) {
          const load = () => this.factory(key, clock, this.world.now);
          values.push(await cache.getOrSet<Observed>(key, load, { tags: tagsOf(key), errorTtl: 0 }));
        }
      }
    })();
    done.catch((error: unknown) => this.history.violations.push(`no convergence: ${String(error)}`));
    await this.world.runUntil(this.world.now + LONGEST_CALL);
    for (const { key, version } of values)
      if (version !== this.source.get(key))
        this.history.violations.push(`no convergence: ${key} is at ${version}`);
    if (values.length !== this.nodes.length * KEYS.length)
      this.history.violations.push('no convergence: calls hang');
  }

  private checkLeftovers(): void {
    for (const { cache, clock, calls } of this.nodes) {
      if (calls.begun !== calls.settled)
        this.history.violations.push(`${calls.begun - calls.settled} calls never ended`);
      const { loader, entries } = (cache as unknown as { readonly engine: Engine }).engine;
      const flights = (loader as unknown as { readonly flights: ReadonlyMap<string, unknown> }).flights.size;
      if (flights > 0) this.history.violations.push(`${flights} flights are left`);
      if (!entries.journal.isEmpty) this.history.violations.push('changes of the outage are left');
      if (clock.pending > 0) this.history.violations.push(`${clock.pending} timers are left`);
    }
  }
}

function tagsOf(key: string): string[] {
  return [KEYS.indexOf(key) % 2 === 0 ? 'even' : 'odd', 'all'];
}

function failuresOf({ statistics }: CacheService): number {
  return statistics.backendErrors + statistics.shortCircuited;
}
