import { isPromise } from '../../cache/failure-policy.js';

/** What LiquidJS gives a tag to read its arguments with. */
export interface Tokenizer {
  p: number;
  readQuoted(): { readonly content: string } | undefined;
  readIdentifier(): { readonly content: string };
  readValue(): ValueToken | undefined;
  peek(): string;
  skipBlank(): void;
  end(): boolean;
  error(message: string): Error;
}

/** An expression. */
export interface ValueToken {
  /** What a literal stands for; other values have no content. */
  readonly content?: unknown;
  /** Of a path such as `product.id`: what comes first if that is no name, and the names and indexes. */
  readonly variable?: object;
  readonly props?: readonly ValueToken[];
  getText(): string;
}

/** What a template is rendered with. */
export interface Scopes {
  /** The value at a path. */
  _get(path: readonly unknown[]): Steps;
  /** What has a variable. */
  findScope(name: unknown): object;
}

/** An argument: answers its value, or a promise of it. */
type Value = (context: Scopes) => unknown;

/** LiquidJS runs what may have to wait as a generator: of promises, of generators, and of values. */
type Steps = Generator<unknown, unknown>;

/** An expression, parsed by LiquidJS. */
interface Expression {
  evaluate(context: Scopes): Steps;
}

/** The parts of LiquidJS that read expressions. */
export interface ExpressionParser {
  parse(source: string): object[];
  readonly options: {
    readonly outputDelimiterLeft: string;
    readonly outputDelimiterRight: string;
    readonly globals?: object;
  };
}

/** The arguments of a tag. */
export interface TagArguments {
  readonly name: string;
  /** In the order in which they were written. */
  readonly values: readonly Value[];
  /** Which option each value is of; `undefined` for what the fragment varies on. */
  readonly options: readonly (string | undefined)[];
  /** The expression for the block's data. */
  readonly data: ValueToken | undefined;
}

export function parseArguments(liquid: ExpressionParser, tokenizer: Tokenizer): TagArguments {
  tokenizer.skipBlank();
  const name = tokenizer.readQuoted();
  if (name === undefined)
    throw tokenizer.error(
      'cache takes the name of the fragment first, as literal text: {% cache "popular" %}',
    );
  const values: Value[] = [];
  const options: (string | undefined)[] = [];
  let data: ValueToken | undefined;
  for (skipComma(tokenizer); !tokenizer.end(); skipComma(tokenizer)) {
    const option = readOption(tokenizer);
    const value = tokenizer.readValue();
    if (value === undefined) throw tokenizer.error('a value is missing here');
    if (option === 'data') {
      data = value;
      continue;
    }
    values.push(parseValue(liquid, value));
    options.push(option);
  }
  return { name: name.content, values, options, data };
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
function parseValue(liquid: ExpressionParser, token: ValueToken): Value {
  if ('content' in token) {
    const literal = plain(token.content);
    return () => literal;
  }
  const { variable, props } = token;
  if (variable === undefined && props?.every((prop) => 'content' in prop) === true) {
    const path = props.map(({ content }) => content);
    return (context) => plainOf(context._get(path));
  }
  const { outputDelimiterLeft, outputDelimiterRight } = liquid.options;
  const [output] = liquid.parse(`${outputDelimiterLeft} ${token.getText()} ${outputDelimiterRight}`);
  const { initial } = (output as { readonly value: { readonly initial: Expression } }).value;
  return (context) => plainOf(initial.evaluate(context));
}

/**
 * What is found at a path without calling anything: LiquidJS calls functions as it meets them, and data is loaded on a miss
 * only. Of a path through a promise, it is the promise.
 */
export function heldAt(token: ValueToken, context: Scopes): unknown {
  if ('content' in token) return token.content;
  const [first, ...rest] = (token.variable === undefined ? token.props : undefined) ?? [];
  if (first === undefined) return undefined;
  const name = heldAt(first, context);
  let value = heldIn(context.findScope(name), name);
  for (const prop of rest) {
    if (isPromise(value)) break;
    value = heldIn(value, heldAt(prop, context));
  }
  return value;
}

/** Getters are functions too. */
function heldIn(value: unknown, name: unknown): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, String(name))?.value as unknown;
}

function plainOf(steps: Steps): unknown {
  const value = settled(steps);
  return isPromise(value) ? value.then(plain) : plain(value);
}

/**
 * What steps come to: a value, or a promise if one of them has to wait. LiquidJS itself makes a promise of every generator,
 * which costs more than a hit.
 */
function settled(steps: Steps, first = steps.next()): unknown {
  for (let state = first; ;) {
    let { value } = state;
    try {
      if (isSteps(value)) value = settled(value);
    } catch (error) {
      state = steps.throw(error);
      continue;
    }
    if (isPromise(value)) {
      return value.then(
        (given) => (state.done === true ? given : settled(steps, steps.next(given))),
        (error: unknown) => settled(steps, steps.throw(error)),
      );
    }
    if (state.done === true) return value;
    state = steps.next(value);
  }
}

function isSteps(value: unknown): value is Steps {
  if (typeof value !== 'object' || value === null) return false;
  const { next, throw: fail, return: end } = value as Partial<Steps>;
  return typeof next === 'function' && typeof fail === 'function' && typeof end === 'function';
}

/** `null` and its like are objects to LiquidJS. */
export function plain(value: unknown): unknown {
  const isDrop = typeof value === 'object' && value !== null && 'liquidMethodMissing' in value;
  return isDrop ? (value as object).valueOf() : value;
}
