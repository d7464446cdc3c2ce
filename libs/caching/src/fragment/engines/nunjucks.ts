import { CachingError, InvalidArgumentError } from '../../errors.js';
import type { FragmentCache } from '../fragment-cache.service.js';
import type { FragmentLoads } from '../fragment-loads.js';
import { renderTag } from '../waiting-tag.js';
import type { Context, Done, Frame, Node, Nodes, Parser } from './nunjucks-parts.js';
import {
  beginReading,
  IS_EMPTY,
  isEmpty,
  READER_TAG,
  readerOf,
  ROWS,
  rowsOf,
  SAME,
} from './nunjucks-reader.js';

/** The parts of a Nunjucks environment that are used here. The application brings it along. */
export interface NunjucksEnvironment {
  addExtension(name: string, extension: object): unknown;
  removeExtension(name: string): void;
  addFilter(name: string, filter: (...given: never[]) => unknown): unknown;
  getFilter(name: string): (...given: never[]) => unknown;
  readonly opts: { readonly tags?: { readonly blockStart?: string; readonly blockEnd?: string } };
}

/** A block as a compiled template has it, and what it is to be rendered with. */
type Block = (done: Done & Surroundings) => void;

interface Surroundings {
  readonly context: Context;
  readonly frame: Frame;
  readonly data?: unknown;
}

const EXTENSION = 'FragmentExtension';
/** The variable in which a frame has the tag around it for which Nunjucks does not wait. */
const HASTY = 'fragment hasty';

/**
 * Nunjucks with cached blocks: `{% cache "name", vary…, ttl="15m", tags="…" %} … {% endcache %}`; `data=load, as="rows"`
 * names the block's data. Render with a callback, as Express and `@fastify/view` do. Within a macro and the like, where
 * Nunjucks does not wait, it is an error.
 *
 * @returns the environment
 *
 * @example
 * withFragments(nunjucks.configure(views, { express: app.getHttpAdapter().getInstance() }), app.get(FragmentCache));
 * app.register(fastifyView, { engine: { nunjucks }, options: { onConfigure: (env) => withFragments(env, fragments) } });
 */
export function withFragments<E extends NunjucksEnvironment>(environment: E, { loads }: FragmentCache): E {
  environment.removeExtension(EXTENSION);
  environment.addExtension(EXTENSION, new FragmentExtension(loads, environment));
  environment.addFilter(SAME, (value: unknown, done: Done) => done(null, value));
  environment.addFilter(ROWS, rowsOf);
  environment.addFilter(IS_EMPTY, isEmpty);
  return environment;
}

class FragmentExtension {
  readonly tags = ['cache', READER_TAG];
  /** Loops whose rounds are being gone through, by their frame, with those that are to follow. */
  private readonly rounds = new WeakMap<Frame, Done[]>();

  constructor(
    private readonly loads: FragmentLoads,
    private readonly environment: NunjucksEnvironment,
  ) {}

  /** Nunjucks calls it by itself, with each template. */
  readonly preprocess = (source: string): string => {
    const { blockStart = '{%', blockEnd = '%}' } = this.environment.opts.tags ?? {};
    return `${blockStart} ${READER_TAG} ${blockEnd}${source}`;
  };

  parse(parser: Parser, nodes: Nodes): Node {
    const { value, lineno, colno } = parser.nextToken();
    const reader = readerOf(parser, nodes, this);
    if (value === READER_TAG) return beginReading(parser, nodes, colno);
    const args = parser.parseSignature(null, true);
    const [name] = args.children;
    if (!(name instanceof nodes.Literal) || typeof name.value !== 'string') {
      parser.fail(
        'cache takes the name of the fragment first, as literal text: {% cache "popular" %}',
        lineno,
        colno,
      );
    }
    const { hastyTag } = reader;
    if (hastyTag !== undefined) {
      parser.fail(
        `a cached block cannot stand within {% ${hastyTag} %}, where Nunjucks does not wait for it: put it around that`,
        lineno,
        colno,
      );
    }
    const given = args.children.at(-1) instanceof nodes.KeywordArgs ? args.children.pop() : undefined;
    const pairs = given?.children ?? [];
    const as = pairs.find(({ key }) => key?.value === 'as')?.value as Node | undefined;
    const options = new nodes.Dict(
      lineno,
      colno,
      pairs.filter(({ key }) => key?.value !== 'as'),
    );
    const line = new nodes.Literal(lineno, colno, lineno + 1);
    args.children.unshift(reader.frame, line, as ?? new nodes.Literal(lineno, colno, null), options);
    parser.advanceAfterBlockEnd(value);
    const body = parser.parseUntilBlocks('endcache');
    parser.advanceAfterBlockEnd();
    reader.cachedBlock(as?.value, body);
    return new nodes.CallExtensionAsync(this, 'run', args, [body]);
  }

  /** Called by the compiled template, with what {@link parse} has put in front: it ends with the block and how to go on. */
  run(
    context: Context,
    frame: Frame,
    line: number,
    as: unknown,
    options: Readonly<Record<string, unknown>>,
    name: string,
    ...vary: unknown[]
  ): void {
    const done = vary.pop() as Done;
    const block = vary.pop() as Block;
    let html: string | Promise<string>;
    try {
      refuseWithin(frame, name);
      html = renderTag(this.loads, { name, options, vary }, () => {
        const own = copied(context, frame);
        return (data) => rendered(block, own, as, data);
      });
    } catch (error) {
      done(onLine(line, error));
      return;
    }
    if (typeof html === 'string') {
      done(null, this.markup(html));
      return;
    }
    html
      .catch((error: unknown) => {
        throw onLine(line, error);
      })
      // What follows in the template runs in here, and may fail.
      .then((made) => done(null, this.markup(made)))
      .catch(done);
  }

  /**
   * Called at the end of each round of a loop. Rounds that need not wait would be called by those before them, so that the
   * stack grows long: here they are called one after the other.
   */
  endRound(_context: Context, frame: Frame, done: Done): void {
    const following = this.rounds.get(frame);
    if (following !== undefined) {
      following.push(done);
      return;
    }
    const rounds = [done];
    this.rounds.set(frame, rounds);
    try {
      for (const next of rounds) next(null, '');
    } finally {
      this.rounds.delete(frame);
    }
  }

  /** Called before what may lead to cached blocks, within a tag for which Nunjucks does not wait. */
  enterHasty(_context: Context, frame: Frame, tag: string): void {
    frame.set(HASTY, { tag, before: frame.get(HASTY) ?? undefined });
  }

  /** Called behind that. */
  leaveHasty(_context: Context, frame: Frame): void {
    frame.set(HASTY, (frame.get(HASTY) as { readonly before?: unknown } | null)?.before);
  }

  /** Gives a loop a variable whose name cannot be one in JavaScript. */
  setVariable(_context: Context, frame: Frame, name: string, value: unknown): void {
    frame.set(name, value);
  }

  /** What is not escaped again. The `autoescape` of an extension does not do in a loop or within another block. */
  private markup(html: string): unknown {
    return this.environment.getFilter('safe')(html as never);
  }
}

/** @throws InvalidArgumentError where Nunjucks would go on without the block */
function refuseWithin(frame: Frame, name: string): void {
  const hasty = frame.lookup(HASTY) as { readonly tag: string } | undefined | null;
  if (!hasty) return;
  throw new InvalidArgumentError(
    `Fragment "${name}" is in a template that is included within {% ${hasty.tag} %}, where Nunjucks does not wait for it: ` +
      'put it around that.',
  );
}

function onLine(line: number, error: unknown): Error {
  if (error instanceof CachingError && !error.message.startsWith('Line '))
    error.message = `Line ${line}: ${error.message}`;
  return error as Error;
}

/**
 * What a block is rendered with: copies, since loops and `set` write to what there is. A page may have gone on without a
 * block that took too long, and a block that is at hand sets nothing.
 */
function copied(context: Context, frame: Frame): Surroundings {
  const own = { ...context, ctx: { ...context.ctx }, exported: [] };
  return {
    context: Object.setPrototypeOf(own, Object.getPrototypeOf(context) as object) as Context,
    frame: copiedFrame(frame).push(),
  };
}

function copiedFrame(frame: Frame): Frame {
  const { loop } = frame.variables;
  const variables = { ...frame.variables, ...(loop !== undefined && { loop: { ...(loop as object) } }) };
  const copy = {
    ...frame,
    variables: Object.setPrototypeOf(variables, null) as Frame['variables'],
    parent: frame.parent && copiedFrame(frame.parent),
  };
  return Object.setPrototypeOf(copy, Object.getPrototypeOf(frame) as object) as Frame;
}

/** Renders a block in which a variable has the block's data. */
async function rendered(block: Block, own: Surroundings, as: unknown, data: unknown): Promise<string> {
  // What is not defined would be looked for around the block.
  if (typeof as === 'string') own.frame.set(as, data ?? null);
  return new Promise((resolve, reject) => {
    const done: Done = (error, html = '') => (error ? reject(error) : resolve(String(html)));
    block(Object.assign(done, { ...own, data }));
  });
}
