import { CachingError } from '../../errors.js';
import type { FragmentCache } from '../fragment-cache.service.js';
import type { FragmentLoads } from '../fragment-loads.js';
import { renderTag } from '../waiting-tag.js';

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

interface NodeList {
  readonly children: { readonly value?: unknown }[];
}

interface Parser {
  nextToken(): Token;
  parseSignature(tolerant: null, isWithoutParentheses: boolean): NodeList;
  parseUntilBlocks(...names: string[]): object;
  advanceAfterBlockEnd(name?: string): void;
  fail(message: string, line: number, column: number): never;
}

interface Nodes {
  readonly Literal: new (line: number, column: number, value: unknown) => { readonly value: unknown };
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

type Done = (error: Error | null, html?: unknown) => void;

/**
 * Nunjucks with cached blocks: `{% cache "name", vary…, ttl="15m", tags="…" %} … {% endcache %}`; `data=load, as="rows"`
 * names the block's data. Render with a callback, as Express and `@fastify/view` do. Not within a macro, where Nunjucks
 * cannot wait.
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
    args.children.unshift(new nodes.Literal(lineno, colno, lineno + 1));
    parser.advanceAfterBlockEnd(value);
    const body = parser.parseUntilBlocks('endcache');
    parser.advanceAfterBlockEnd();
    return new nodes.CallExtensionAsync(this, 'run', args, [body]);
  }

  /** Called by the compiled template: context, line, name, what the author gave, the block, and how to go on. */
  run(context: Context, line: number, ...given: unknown[]): void {
    const done = given.pop() as Done;
    const body = given.pop() as (done: Done) => void;
    const { as, ...options } = isKeywords(given.at(-1)) ? keywords(given.pop()) : {};
    const [name, ...vary] = given;
    renderTag(this.loads, { name, options, vary }, (data) => withVariable(context, as, data, body))
      .catch((error: unknown) => {
        if (error instanceof CachingError && !error.message.startsWith('Line '))
          error.message = `Line ${line}: ${error.message}`;
        throw error;
      })
      // What follows in the template runs in here, and may fail.
      .then((html) => done(null, this.markup(html)))
      .catch(done);
  }

  /** What is not escaped again. The `autoescape` of an extension does not do in a loop or within another block. */
  private markup(html: string): unknown {
    return this.environment.getFilter('safe')(html as never);
  }
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

function isKeywords(value: unknown): boolean {
  return typeof value === 'object' && value !== null && '__keywords' in value;
}

function keywords(value: unknown): Record<string, unknown> {
  const { __keywords: _mark, ...rest } = value as Record<string, unknown>;
  return rest;
}
