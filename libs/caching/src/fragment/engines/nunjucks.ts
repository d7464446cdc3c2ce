import { CachingError } from '../../errors.js';
import type { FragmentCache } from '../fragment-cache.service.js';
import type { FragmentLoads } from '../fragment-loads.js';
import { renderTag } from '../waiting-tag.js';
import { hastyTagAround, type Source } from './nunjucks-surroundings.js';

/** The parts of a Nunjucks environment that are used here. The application brings it along. */
export interface NunjucksEnvironment {
  addExtension(name: string, extension: object): unknown;
  getFilter(name: string): (...given: never[]) => unknown;
}

interface Token {
  readonly value: string;
  readonly lineno: number;
  readonly colno: number;
}

interface Node {
  readonly key?: Node;
  readonly value?: unknown;
  readonly children?: Node[];
}

interface NodeList {
  readonly children: Node[];
}

interface Parser {
  readonly tokens: Source;
  nextToken(): Token;
  parseSignature(tolerant: null, isWithoutParentheses: boolean): NodeList;
  parseUntilBlocks(...names: string[]): object;
  advanceAfterBlockEnd(name?: string): void;
  fail(message: string, line: number, column: number): never;
}

interface Nodes {
  readonly Literal: new (line: number, column: number, value: unknown) => Node;
  readonly Dict: new (line: number, column: number, pairs: Node[]) => Node;
  readonly KeywordArgs: new () => Node;
  readonly CallExtensionAsync: new (
    extension: object,
    run: string,
    args: NodeList,
    blocks: object[],
  ) => object;
}

interface Context {
  readonly ctx: Record<string, unknown>;
}

/** How many blocks that are at hand may follow one another without a pause: what follows runs inside of each. */
const MAX_DEPTH = 50;

type Done = (error: Error | null, html?: unknown) => void;

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
  environment.addExtension('FragmentExtension', new FragmentExtension(loads, environment));
  return environment;
}

class FragmentExtension {
  readonly tags = ['cache'];
  private depth = 0;

  constructor(
    private readonly loads: FragmentLoads,
    private readonly environment: NunjucksEnvironment,
  ) {}

  parse(parser: Parser, nodes: Nodes): object {
    const { value, lineno, colno } = parser.nextToken();
    const args = parser.parseSignature(null, true);
    const [name] = args.children;
    if (!(name instanceof nodes.Literal) || typeof name.value !== 'string') {
      parser.fail(
        'cache takes the name of the fragment first, as literal text: {% cache "popular" %}',
        lineno,
        colno,
      );
    }
    const hasty = hastyTagAround(parser.tokens);
    if (hasty !== undefined) {
      parser.fail(
        `a cached block cannot stand within {% ${hasty} %}, where Nunjucks does not wait for it: put it around that`,
        lineno,
        colno,
      );
    }
    const given = args.children.at(-1) instanceof nodes.KeywordArgs ? args.children.pop() : undefined;
    const pairs = given?.children ?? [];
    const as = pairs.find(({ key }) => key?.value === 'as')?.value ?? new nodes.Literal(lineno, colno, null);
    const options = new nodes.Dict(
      lineno,
      colno,
      pairs.filter(({ key }) => key?.value !== 'as'),
    );
    args.children.unshift(new nodes.Literal(lineno, colno, lineno + 1), as, options);
    parser.advanceAfterBlockEnd(value);
    const body = parser.parseUntilBlocks('endcache');
    parser.advanceAfterBlockEnd();
    return new nodes.CallExtensionAsync(this, 'run', args, [body]);
  }

  /** Called by the compiled template, with what {@link parse} has put in front: it ends with the block and how to go on. */
  run(
    context: Context,
    line: number,
    as: unknown,
    options: Readonly<Record<string, unknown>>,
    name: string,
    ...vary: unknown[]
  ): void {
    const done = vary.pop() as Done;
    const body = vary.pop() as (done: Done) => void;
    let html: string | Promise<string>;
    try {
      html = renderTag(this.loads, { name, options, vary }, (data) => withVariable(context, as, data, body));
    } catch (error) {
      done(onLine(line, error));
      return;
    }
    if (typeof html === 'string') this.goOn(html, done);
    else {
      html
        .catch((error: unknown) => {
          throw onLine(line, error);
        })
        // What follows in the template runs in here, and may fail.
        .then((made) => done(null, this.markup(made)))
        .catch(done);
    }
  }

  /** Goes on with the template at once, unless that has been done so often that the stack grows long. */
  private goOn(html: string, done: Done): void {
    if (this.depth >= MAX_DEPTH) {
      Promise.resolve()
        .then(() => done(null, this.markup(html)))
        .catch(done);
      return;
    }
    this.depth += 1;
    try {
      done(null, this.markup(html));
    } finally {
      this.depth -= 1;
    }
  }

  /** What is not escaped again. The `autoescape` of an extension does not do in a loop or within another block. */
  private markup(html: string): unknown {
    return this.environment.getFilter('safe')(html as never);
  }
}

function onLine(line: number, error: unknown): Error {
  if (error instanceof CachingError && !error.message.startsWith('Line '))
    error.message = `Line ${line}: ${error.message}`;
  return error as Error;
}

/** Renders a block in which a variable has the block's data. */
async function withVariable(
  { ctx }: Context,
  as: unknown,
  data: unknown,
  body: (done: Done) => void,
): Promise<string> {
  const isNamed = typeof as === 'string';
  const before = isNamed ? Object.getOwnPropertyDescriptor(ctx, as) : undefined;
  if (isNamed) ctx[as] = data;
  try {
    return await new Promise((resolve, reject) => {
      body((error, html = '') => (error ? reject(error) : resolve(String(html))));
    });
  } finally {
    if (isNamed && before === undefined) delete ctx[as];
    else if (isNamed && before !== undefined) Object.defineProperty(ctx, as, before);
  }
}
