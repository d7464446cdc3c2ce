import { callbackify } from 'node:util';
import { CachingError, InvalidArgumentError } from '../../errors.js';
import type { FragmentCache } from '../fragment-cache.service.js';
import type { FragmentLoads } from '../fragment-loads.js';
import { PlaceholderPage } from '../placeholder-page.js';
import { tagOptions } from '../tag-options.js';
import {
  type Handlebars,
  type HandlebarsTemplate,
  keptBlock,
  prepareTemplates,
  type Program,
  runLate,
} from './handlebars-partials.js';

export type { Handlebars, HandlebarsTemplate } from './handlebars-partials.js';

/** The parts of `hbs` that are used here. */
export interface Hbs {
  readonly handlebars: Handlebars;
  readonly __express: ExpressEngine;
  async?: unknown;
}

/** What Express calls to render a file. */
export type ExpressEngine = (
  path: string,
  locals: object,
  done: (error: Error | null, html?: string) => void,
) => void;

interface HelperOptions {
  readonly fn?: Program;
  readonly hash: Readonly<Record<string, unknown>>;
  readonly data?: DataFrame;
  readonly loc?: { readonly start: { readonly line: number } };
}

/** `@index`, `@key` and their like; loops write to it. */
interface DataFrame {
  readonly root?: object;
  readonly _parent?: DataFrame;
}

/** The page that a template is being rendered for. Templates run without a pause, so there is one at most. */
let current: FragmentPage | undefined;
/** The pages of hbs, which reads files before it renders, by their locals. */
const pages = new WeakMap<object, FragmentPage>();

/**
 * Handlebars with cached blocks: `{{#cache "name" vary… ttl="15m" tags="…"}} … {{/cache}}`. All fragments of a page are
 * read at once.
 *
 * @param engine `handlebars` for `@fastify/view`, or `hbs` for Express; its instance gets the helper `cache`
 * @returns the engine, to be used instead
 * @throws InvalidArgumentError if the instance has another helper of that name
 *
 * @example
 * app.engine('hbs', withFragments(hbs, app.get(FragmentCache)).__express);
 * app.register(fastifyView, { engine: { handlebars: withFragments(handlebars, app.get(FragmentCache)) } });
 */
export function withFragments<E extends Handlebars | Hbs>(engine: E, fragments: FragmentCache): E {
  const handlebars = isHbs(engine) ? engine.handlebars : (engine as Handlebars);
  if ('cache' in handlebars.helpers && handlebars.helpers['cache'] !== cacheHelper)
    throw new InvalidArgumentError(
      'This Handlebars has a helper "cache" already. Give the other one another name.',
    );
  handlebars.registerHelper('cache', cacheHelper);
  prepareTemplates(handlebars);
  const { loads } = fragments;
  return isHbs(engine) ? expressEngine(engine, loads) : viewEngine(engine as E & Handlebars, loads);
}

function isHbs<E extends object>(engine: E): engine is E & Hbs {
  return '__express' in engine;
}

/** For `@fastify/view`, which waits for what a template answers. */
function viewEngine<E extends Handlebars>(handlebars: E, loads: FragmentLoads): E {
  const compile = (source: unknown, options?: object): HandlebarsTemplate => {
    const template = handlebars.compile(source, options);
    const render = async (context: unknown, runtime: object | undefined): Promise<string> => {
      const page = new FragmentPage(loads);
      return page.placeholders.fill(renderFor(page, () => template(context, runtime)));
    };
    // A partial is part of the page that is being rendered.
    return (context, runtime) =>
      runtime?.partial === true
        ? template(context, runtime)
        : (render(context, runtime) as unknown as string);
  };
  return Object.assign(Object.create(handlebars) as E, { compile });
}

function expressEngine<E extends Hbs>(hbs: E, loads: FragmentLoads): E {
  const render = async (path: string, locals: object): Promise<string> => {
    const page = new FragmentPage(loads, (run) => withoutAsyncHelpers(hbs, run));
    pages.set(locals, page);
    const html = await new Promise<string>((resolve, reject) => {
      hbs.__express(path, locals, (error, rendered = '') => (error ? reject(error) : resolve(rendered)));
    });
    return page.placeholders.fill(html);
  };
  return Object.assign(Object.create(hbs) as E, { __express: callbackify(render) });
}

/** The cached blocks of a page. */
class FragmentPage {
  readonly placeholders: PlaceholderPage;
  private readonly blocks: ((data: unknown) => string)[] = [];

  constructor(
    private readonly loads: FragmentLoads,
    late: (run: () => string) => string = (run) => run(),
  ) {
    this.placeholders = new PlaceholderPage(loads, (ready) =>
      ready.map(({ index, data, inContext }) =>
        inContext(() => late(() => runLate(() => renderFor(this, () => this.blocks[index]?.(data) ?? '')))),
      ),
    );
  }

  /** The markup of a cached block, or what stands for it. */
  place(name: string, vary: readonly unknown[], context: unknown, { fn, hash, data }: HelperOptions): string {
    if (fn === undefined) throw new InvalidArgumentError('it is a block: {{#cache "popular"}} … {{/cache}}');
    const found = this.loads.find(name, tagOptions(hash, vary));
    if (typeof found === 'string') return found;
    const frame = data && copied(data);
    const index = this.placeholders.add(found);
    const block = keptBlock(fn);
    this.blocks[index] = (given) => block(context, { data: frame, blockParams: [given] });
    return this.placeholders.placeholder(index);
  }
}

/** Runs what meets cached blocks of a page. */
function renderFor(page: FragmentPage, render: () => string): string {
  const before = current;
  current = page;
  try {
    return render();
  } finally {
    current = before;
  }
}

function cacheHelper(this: unknown, ...given: unknown[]): string {
  const options = given.pop() as HelperOptions;
  const [name, ...vary] = given;
  try {
    const page = current ?? pages.get(options.data?.root ?? {});
    if (page === undefined) {
      throw new InvalidArgumentError(
        'this template is rendered without waiting. Render it with the engine that withFragments() has answered.',
      );
    }
    return page.place(name as string, vary, this, options);
  } catch (error) {
    if (error instanceof CachingError && options.loc !== undefined)
      error.message = `{{#cache "${String(name)}"}} on line ${options.loc.start.line}: ${error.message}`;
    throw error;
  }
}

/** Loops write the same frame anew for each of their rounds. */
function copied(frame: DataFrame): DataFrame {
  return frame._parent === undefined ? { ...frame } : { ...frame, _parent: copied(frame._parent) };
}

/** Helpers of `registerAsyncHelper` answer when the page that they were called for is done, which it is by now. */
function withoutAsyncHelpers(hbs: Hbs, run: () => string): string {
  const before = hbs.async;
  hbs.async = {
    resolve: () => {
      throw new InvalidArgumentError(
        'Asynchronous helpers of hbs do not work in a cached block. Give the block its data: {{#cache "popular" data=load as |products|}}.',
      );
    },
  };
  try {
    return run();
  } finally {
    hbs.async = before;
  }
}
