import { InvalidArgumentError } from '../../errors.js';
import type { FragmentCache } from '../fragment-cache.service.js';
import type { FragmentLoads } from '../fragment-loads.js';
import { renderTag } from '../waiting-tag.js';

/** The parts of LiquidJS that are used here. The application brings it along. */
export interface Liquid {
  registerTag(name: string, tag: object): void;
  parse(source: string): object[];
  render(templates: never, context: object): Promise<unknown>;
  evalValue(expression: string, context: object): Promise<unknown>;
  readonly parser: { parseToken(token: never, rest: never): object };
  readonly options: { readonly outputDelimiterLeft: string; readonly outputDelimiterRight: string };
}

interface TopLevelToken {
  readonly name?: string;
}

interface TagToken extends TopLevelToken {
  readonly tokenizer: Tokenizer;
  getText(): string;
}

interface Tokenizer {
  p: number;
  readQuoted(): { readonly content: string } | undefined;
  readIdentifier(): { readonly content: string };
  readValue(): { getText(): string } | undefined;
  peek(): string;
  skipBlank(): void;
  end(): boolean;
  error(message: string): Error;
}

interface Context {
  readonly sync: boolean;
  push(scope: object): number;
  pop(): object | undefined;
}

/** An expression, parsed. */
interface Value {
  value(context: Context): Iterable<unknown>;
}

/** The arguments of a tag. */
interface Fragment {
  readonly name: string;
  readonly vary: Value[];
  readonly options: Map<string, Value>;
  /** The expression for the block's data. */
  data: string | undefined;
}

interface Tag {
  readonly liquid: Liquid;
  fragment: Fragment;
  templates: object[];
}

/**
 * LiquidJS with cached blocks: `{% cache "name", vary…, ttl: "15m", tags: "…" %} … {% endcache %}`; `data: load, as: "rows"`
 * names the block's data. Render asynchronously, as Express and `@fastify/view` do.
 *
 * @returns the engine
 *
 * @example
 * const liquid = withFragments(new Liquid({ root: views, extname: '.liquid' }), app.get(FragmentCache));
 * app.engine('liquid', liquid.express());
 * app.register(fastifyView, { engine: { liquid } });
 */
export function withFragments<E extends Liquid>(liquid: E, { loads }: FragmentCache): E {
  liquid.registerTag('cache', {
    parse(this: Tag, token: TagToken, rest: TopLevelToken[]) {
      this.fragment = parseArguments(this.liquid, token.tokenizer);
      this.templates = parseBlock(this.liquid, token, rest);
    },
    render(this: Tag, context: Context, emitter: { write(html: string): void }) {
      return render(loads, this, context, emitter);
    },
  });
  return liquid;
}

function parseArguments(liquid: Liquid, tokenizer: Tokenizer): Fragment {
  tokenizer.skipBlank();
  const name = tokenizer.readQuoted();
  if (name === undefined)
    throw tokenizer.error(
      'cache takes the name of the fragment first, as literal text: {% cache "popular" %}',
    );
  const fragment: Fragment = {
    name: name.content,
    vary: [],
    options: new Map(),
    data: undefined,
  };
  for (skipComma(tokenizer); !tokenizer.end(); skipComma(tokenizer)) {
    const option = readOption(tokenizer);
    const value = tokenizer.readValue();
    if (value === undefined) throw tokenizer.error('a value is missing here');
    const text = value.getText();
    if (option === 'data') fragment.data = text;
    else if (option !== undefined) fragment.options.set(option, parseValue(liquid, text));
    else fragment.vary.push(parseValue(liquid, text));
  }
  return fragment;
}

/** The name before a colon; what is no option is left to be read as a value. */
function readOption(tokenizer: Tokenizer): string | undefined {
  const start = tokenizer.p;
  const { content } = tokenizer.readIdentifier();
  tokenizer.skipBlank();
  if (content !== '' && tokenizer.peek() === ':') {
    tokenizer.p += 1;
    return content;
  }
  tokenizer.p = start;
  return undefined;
}

function skipComma(tokenizer: Tokenizer): void {
  tokenizer.skipBlank();
  if (tokenizer.peek() === ',') tokenizer.p += 1;
  tokenizer.skipBlank();
}

/** An expression as an output has it, but for the escaping that an output may come with. */
function parseValue(liquid: Liquid, text: string): Value {
  const { outputDelimiterLeft, outputDelimiterRight } = liquid.options;
  const [output] = liquid.parse(`${outputDelimiterLeft} ${text} | raw ${outputDelimiterRight}`);
  return (output as { readonly value: Value }).value;
}

function parseBlock(liquid: Liquid, token: TagToken, rest: TopLevelToken[]): object[] {
  const templates: object[] = [];
  for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
    if (next.name === 'endcache') return templates;
    templates.push(liquid.parser.parseToken(next as never, rest as never));
  }
  throw new InvalidArgumentError(`tag ${token.getText()} is not closed: {% endcache %} is missing`);
}

function* render(
  loads: FragmentLoads,
  { liquid, fragment, templates }: Tag,
  context: Context,
  emitter: { write(html: string): void },
): Generator<unknown, void, unknown> {
  if (context.sync)
    throw new InvalidArgumentError('A template with cached blocks is rendered asynchronously: renderFile().');
  const vary: unknown[] = [];
  for (const value of fragment.vary) vary.push(plain(yield value.value(context)));
  const options: Record<string, unknown> = {};
  for (const [option, value] of fragment.options) options[option] = plain(yield value.value(context));
  const { as, ...given } = options;
  const block = async (): Promise<string> => {
    // Liquid calls functions as it meets them, so data is met only now.
    const { data } = fragment;
    const rows = data === undefined ? undefined : plain(await liquid.evalValue(data, context));
    context.push(typeof as === 'string' ? { [as]: rows } : {});
    try {
      return String(await liquid.render(templates as never, context));
    } finally {
      context.pop();
    }
  };
  emitter.write((yield renderTag(loads, { name: fragment.name, options: given, vary }, block)) as string);
}

/** `null` and its like are objects to LiquidJS. */
function plain(value: unknown): unknown {
  const isDrop = typeof value === 'object' && value !== null && 'liquidMethodMissing' in value;
  return isDrop ? (value as object).valueOf() : value;
}
