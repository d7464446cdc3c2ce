import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { BatchLoad } from '../cache/batch-load.js';
import type { RunContext } from '../cache/load-plan.js';
import type { FirstLook } from '../cache/looks.js';
import { dataOf, type FragmentLoads, type FragmentRequest, isDataPending } from './fragment-loads.js';

/** A block that is to be rendered. */
export interface ReadyBlock {
  /** Which of the page's fragments it is. */
  readonly index: number;
  readonly data: unknown;
  /** Runs something as part of this fragment, so that what it reads is noted for it. */
  readonly inContext: <R>(run: () => R) => R;
}

/** Renders blocks, without waiting for anything: placeholders stand for the fragments in them. */
export type RenderBlocks = (blocks: readonly ReadyBlock[]) => readonly string[];

/**
 * How many fragments of a page are loaded at once on each level. Loads of a cache at the same time are limited, and cold pages
 * share that.
 */
const MAX_LOADS = 100;

type Looks = ReadonlyMap<number, FirstLook<string> | undefined>;

/** Fragments that are loaded together. */
interface Level {
  readonly level: BatchLoad<RenderedBlock>;
  readonly blocks: Map<string, ReadyBlock>;
  /** How many fragments inside of each may be loaded at once. */
  readonly limit: number;
}

/** A rendered block or why there is none, and what was seen of the fragments in it. */
interface RenderedBlock {
  readonly html: PromiseSettledResult<string>;
  readonly looks: Looks;
}

/**
 * The fragments of one page, for engines that cannot wait. Where a fragment belongs, the engine writes a placeholder; when
 * it is done, all of them are read at once, and so are those inside of the ones that were missing, level by level. What
 * users write cannot be a placeholder: each page has a random mark of 128 bits.
 */
export class PlaceholderPage {
  private mark = '';
  private pattern = /$^/;
  private readonly requests: FragmentRequest[] = [];

  constructor(
    private readonly loads: FragmentLoads,
    private readonly renderBlocks: RenderBlocks,
  ) {}

  /** Takes a fragment up; answers its index. */
  add(request: FragmentRequest): number {
    if (this.mark === '') {
      this.mark = `fragment-${randomBytes(16).toString('hex')}-`;
      this.pattern = new RegExp(`${this.mark}(\\d+);`);
    }
    return this.requests.push(request) - 1;
  }

  /** What an engine writes where a fragment belongs. */
  placeholder(index: number): string {
    return `${this.mark}${index};`;
  }

  nameOf(index: number): string {
    return this.requests[index]?.name ?? '';
  }

  /**
   * A text with its fragments in their places.
   *
   * @param limit how many may be loaded at once
   */
  async fill(html: string, looks?: Looks, limit = MAX_LOADS): Promise<string> {
    if (this.requests.length === 0) return html;
    const parts = html.split(this.pattern);
    if (parts.length === 1) return html;
    const indexes = indexesIn(parts);
    const markups = await this.loadInSlices(indexes, looks ?? (await this.lookAt(indexes)), limit);
    for (let part = 1; part < parts.length; part += 2) parts[part] = markups.get(Number(parts[part])) ?? '';
    return parts.join('');
  }

  /** What is at hand, and then the others in slices, one after the other. */
  private async loadInSlices(
    indexes: readonly number[],
    looks: Looks,
    limit: number,
  ): Promise<ReadonlyMap<number, string>> {
    const isFresh = (index: number): boolean => looks.get(index)?.sight?.freshness === 'fresh';
    const missing = indexes.filter((index) => !isFresh(index));
    if (missing.length <= limit) return this.load(indexes, looks, shareOf(limit, missing.length));
    const markups = new Map(await this.load(indexes.filter(isFresh), looks, limit));
    for (let start = 0; start < missing.length; start += limit) {
      const slice = await this.load(missing.slice(start, start + limit), looks, shareOf(limit, limit));
      for (const [index, markup] of slice) markups.set(index, markup);
    }
    return markups;
  }

  /** @param limit how many fragments inside of each may be loaded at once */
  private async load(
    indexes: readonly number[],
    looks: Looks,
    limit: number,
  ): Promise<ReadonlyMap<number, string>> {
    const blocks = new Map<string, ReadyBlock>();
    const level = new BatchLoad<RenderedBlock>(async (keys) =>
      this.renderTogether(keys.map((key) => blocks.get(key)!)),
    );
    const loads = indexes.map((index) => ({
      request: this.requests[index]!,
      make: (context: RunContext) => this.make(index, { level, blocks, limit }, context),
      standsBack: () => level.standBack(String(index)),
    }));
    const markups = await this.loads.loadMany(
      loads,
      indexes.map((index) => looks.get(index)),
      (flights) => level.expect(flights),
    );
    return new Map(indexes.map((index, position) => [index, markups[position] ?? '']));
  }

  private async make(index: number, { level, blocks, limit }: Level, context: RunContext): Promise<string> {
    const key = String(index);
    const request = this.requests[index]!;
    // Nobody waits for another one's data: what needs data renders by itself.
    if (isDataPending(request)) level.standBack(key);
    blocks.set(key, { index, data: await dataOf(request), inContext: AsyncLocalStorage.snapshot() });
    const rendered = await level.join(key, context);
    if (rendered?.html.status !== 'fulfilled') throw rendered?.html.reason;
    return this.fill(rendered.html.value, rendered.looks, limit);
  }

  /** Renders the blocks of a level, and looks once for all fragments inside of them. */
  private async renderTogether(blocks: readonly ReadyBlock[]): Promise<Map<string, RenderedBlock>> {
    const htmls = this.settle(blocks);
    const texts = htmls.map((html) => (html.status === 'fulfilled' ? html.value : ''));
    const looks = await this.lookAt(indexesIn(texts.join('').split(this.pattern)));
    return new Map(blocks.map(({ index }, position) => [String(index), { html: htmls[position]!, looks }]));
  }

  /** A block that fails does so alone. */
  private settle(blocks: readonly ReadyBlock[]): PromiseSettledResult<string>[] {
    try {
      return this.renderBlocks(blocks).map((value) => ({ status: 'fulfilled', value }));
    } catch (reason) {
      if (blocks.length === 1) return [{ status: 'rejected', reason }];
      return blocks.flatMap((block) => this.settle([block]));
    }
  }

  private async lookAt(indexes: readonly number[]): Promise<Looks> {
    if (indexes.length === 0) return new Map();
    const looks = await this.loads.lookAhead(indexes.map((index) => this.requests[index]!));
    return new Map(indexes.map((index, position) => [index, looks[position]]));
  }
}

/** What each of so many that are loaded together may load, so that all of them keep to the limit. */
function shareOf(limit: number, count: number): number {
  return Math.max(1, Math.floor(limit / Math.max(1, count)));
}

/** The fragments in a text that was split at its placeholders. */
function indexesIn(parts: readonly string[]): number[] {
  return [...new Set(parts.filter((_part, position) => position % 2 === 1).map(Number))];
}
