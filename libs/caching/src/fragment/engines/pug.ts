import { readFile } from 'node:fs/promises';
import { callbackify } from 'node:util';
import { InvalidArgumentError } from '../../errors.js';
import type { FragmentCache } from '../fragment-cache.service.js';
import type { FragmentLoads, FragmentRequest } from '../fragment-loads.js';
import type { FragmentOptions } from '../fragment.options.js';
import { PlaceholderPage, type ReadyBlock } from '../placeholder-page.js';
import { tagOptions } from '../tag-options.js';
import { BLOCKS, fragmentPlugin } from './pug-plugin.js';

/** The parts of Pug that are used here. The application brings it along. */
export interface Pug {
  compile(source: string, options?: object): (locals?: object) => string;
}

/** Pug with fragments, as Express and `@fastify/view` take it. */
export interface PugWithFragments {
  compile(source: string, options?: object): (locals?: object) => Promise<string>;
  readonly __express: (
    path: string,
    locals: object,
    done: (error: Error | null, html?: string) => void,
  ) => void;
}

type Template = (locals?: object) => string;

/** Reads and writes what a template has put out so far. */
interface Output {
  (html?: string): string;
}

/** Answers with one round for a block that is to be rendered, and with none for one that is not. */
type Visit = (name: string, options: FragmentOptions<unknown>, output: Output) => Iterable<unknown>;

const NO_ROUNDS: readonly unknown[] = [];

/**
 * Pug with cached blocks: `+cache("name", { ttl: "15m", varyOn: [user.id] })` with a block; `(as="rows")` behind it names the
 * block's data. All fragments of a page are read at once.
 *
 * A template is run once, and once more for each level of blocks that are missing, or each 100 of them, so it must run alike
 * each time: it must not use up an iterator.
 *
 * @example
 * app.engine('pug', withFragments(pug, app.get(FragmentCache)).__express);
 * app.register(fastifyView, { engine: { pug: withFragments(pug, app.get(FragmentCache)) } });
 */
export function withFragments(pug: Pug, { loads }: FragmentCache): PugWithFragments {
  const compile = (
    source: string,
    options: { readonly self?: boolean; readonly plugins?: readonly object[] } = {},
  ) => {
    const plugins = [...(options.plugins ?? []), fragmentPlugin(options.self === true)];
    const template = pug.compile(source, { ...options, plugins });
    return async (locals?: object) => new FragmentPage(loads, template, locals).render();
  };
  const templates = new Map<string, ReturnType<typeof compile>>();
  const renderFile = async (path: string, locals: object & { readonly cache?: unknown }): Promise<string> => {
    const template =
      templates.get(path) ??
      compile(await readFile(path, 'utf8'), {
        compileDebug: process.env['NODE_ENV'] !== 'production',
        ...locals,
        filename: path,
      } as object);
    if (locals.cache === true) templates.set(path, template);
    return template(locals);
  };
  return { compile, __express: callbackify(renderFile) };
}

/** One page, whose template is run as often as there are levels of blocks to render. */
class FragmentPage {
  private readonly placeholders: PlaceholderPage;
  /** The fragments that were met, by where they are kept. */
  private readonly indexes = new Map<string, number>();
  /** The block that a fragment is in. */
  private readonly parents: (number | undefined)[] = [];
  private readonly data = new Map<number, unknown>();

  constructor(
    private readonly loads: FragmentLoads,
    private readonly template: Template,
    private readonly locals: object = {},
  ) {
    this.placeholders = new PlaceholderPage(loads, (ready) => this.renderBlocks(ready));
  }

  /** On the first run no block is rendered. */
  async render(): Promise<string> {
    const html = this.run((name, options, output) => {
      const found = this.loads.find(name, options);
      const isHeld = typeof found === 'string';
      output(output() + (isHeld ? found : this.placeholders.placeholder(this.indexOf(found, undefined))));
      return NO_ROUNDS;
    });
    return this.placeholders.fill(html);
  }

  /** Runs the template for the sake of these blocks: they are rendered where they are, and so is what is around them. */
  private renderBlocks(ready: readonly ReadyBlock[]): string[] {
    const rendered = new Map<number, string>();
    const around = new Set<number>();
    for (const { index, data } of ready) {
      this.data.set(index, data);
      for (let each = this.parents[index]; each !== undefined; each = this.parents[each]) around.add(each);
    }
    const wanted = new Set(ready.map(({ index }) => index));
    const inside: number[] = [];
    const { data, loads, placeholders } = this;
    const indexOf = (request: FragmentRequest): number => this.indexOf(request, inside.at(-1));
    this.run(function* (name, options, output) {
      const index = indexOf(loads.request(name, options));
      const before = output();
      const isWanted = wanted.delete(index);
      if (isWanted || around.has(index)) {
        output('');
        inside.push(index);
        yield data.get(index);
        inside.pop();
        if (isWanted) rendered.set(index, output());
      }
      output(before + placeholders.placeholder(index));
    });
    return ready.map(({ index }) => rendered.get(index) ?? missed(this.placeholders.nameOf(index)));
  }

  private run(visit: Visit): string {
    const blocks = (output: Output, name: string, options: Readonly<Record<string, unknown>> = {}) =>
      visit(name, tagOptions(options), output);
    return this.template(Object.assign(Object.create(this.locals) as object, { [BLOCKS]: blocks }));
  }

  private indexOf(request: FragmentRequest, parent: number | undefined): number {
    const key = `${request.store.name}:${request.segments}`;
    const known = this.indexes.get(key);
    if (known !== undefined) return known;
    const index = this.placeholders.add(request);
    this.indexes.set(key, index);
    this.parents[index] = parent;
    return index;
  }
}

function missed(name: string): never {
  throw new InvalidArgumentError(
    `Fragment "${name}" was not met again when the template was run for it. A template with fragments must run alike each time.`,
  );
}
