import { InvalidArgumentError } from '../../errors.js';

/** The parts of Handlebars that are used here. The application brings it along. */
export interface Handlebars {
  compile(source: unknown, options?: object): HandlebarsTemplate;
  parse(source: string, options?: object): object;
  registerHelper(name: string, helper: (...given: unknown[]) => unknown): void;
  registerDecorator(name: string, decorator: object): void;
  readonly helpers: Readonly<Record<string, unknown>>;
}

export type HandlebarsTemplate = (context: unknown, runtime?: { readonly partial?: boolean }) => string;

/** A node of a template, as far as blocks are concerned. */
interface Node {
  readonly type: string;
  readonly path?: { readonly original: unknown };
  readonly params?: readonly { readonly type: string }[];
  readonly program?: Node;
  readonly inverse?: Node;
  readonly body?: Node[];
  readonly loc: { readonly start: { readonly line: number } };
}

/** A part of a template that can be run. */
export interface Program {
  (context: unknown, runtime?: Runtime): string;
  container?: Container;
}

interface Runtime {
  readonly partials?: object;
  readonly data?: object | undefined;
  readonly blockParams?: readonly unknown[];
}

/** What a template works with while it runs: of the whole template, so the next run has another one. */
interface Container {
  partials: object;
  helpers: object;
  decorators: object;
  hooks: object;
}

const MARK = 'fragment-mark-container';
const KEEP = 'fragment-keep-partials';
const FOLLOW = 'fragment-follow-partials';
const prepared = new WeakSet<object>();
let isLate = false;

/** Runs blocks after the template that they are of, whose partials may by then be those of another page. */
export function runLate<R>(run: () => R): R {
  const before = isLate;
  isLate = true;
  try {
    return run();
  } finally {
    isLate = before;
  }
}

/**
 * Prepares an instance: templates that it compiles from now on remember, for each cached block, the inline partials and
 * layouts around it. Names of fragments are checked.
 */
export function prepareTemplates(handlebars: Handlebars): void {
  if (prepared.has(handlebars)) return;
  prepared.add(handlebars);
  const parse = handlebars.parse.bind(handlebars);
  handlebars.parse = (source, options) => {
    const program = parse(source, options) as Node;
    if (typeof source === 'string') prepareProgram(program);
    return program;
  };
  handlebars.registerDecorator(MARK, markContainer);
  handlebars.registerDecorator(KEEP, keepPartials);
  handlebars.registerDecorator(FOLLOW, followPartials);
}

/** Lets {@link keptBlock} find the container of a cached block. Most of them are at hand, so nothing is kept yet. */
function markContainer(program: Program, _props: object, container: Container): Program {
  program.container = container;
  return program;
}

/** A cached block, met just now, as it is to run late. */
export function keptBlock(block: Program): Program {
  return block.container === undefined ? block : keepPartials(block, {}, block.container);
}

/** What a block, late, finds in its template: what was there when it was met. */
function keepPartials(program: Program, _props: object, container: Container): Program {
  const met = pick(container);
  return (context, runtime) => inContainer(container, met, () => program(context, runtime));
}

/** What an inline partial, late, finds in its template: what those who call it have. */
function followPartials(program: Program, _props: object, container: Container): Program {
  return (context, runtime) => {
    const partials = { ...container.partials, ...runtime?.partials };
    return inContainer(container, { ...container, partials }, () => program(context, runtime));
  };
}

function inContainer(container: Container, state: Container, run: () => string): string {
  if (!isLate) return run();
  const { partials, helpers, decorators, hooks } = container;
  Object.assign(container, pick(state));
  try {
    return run();
  } finally {
    Object.assign(container, { partials, helpers, decorators, hooks });
  }
}

function pick({ partials, helpers, decorators, hooks }: Container): Container {
  return { partials, helpers, decorators, hooks };
}

function prepareProgram({ body = [] }: Node): void {
  for (const node of body) {
    const isFragment = node.type === 'BlockStatement' && node.path?.original === 'cache';
    if (isFragment && node.params?.[0]?.type !== 'StringLiteral') {
      throw new InvalidArgumentError(
        `Line ${node.loc.start.line}: {{#cache}} takes the fragment's name first, as literal text: {{#cache "popular"}}.`,
      );
    }
    if (node.program !== undefined) {
      prepareProgram(node.program);
      if (isFragment) decorate(node.program, MARK);
      if (node.type === 'PartialBlockStatement') decorate(node.program, KEEP);
      if (node.type === 'DecoratorBlock') decorate(node.program, FOLLOW);
    }
    if (node.inverse !== undefined) prepareProgram(node.inverse);
  }
}

/** Last in the block, so that it comes around the inline partials of the block itself. */
function decorate(program: Node, decorator: string): void {
  const { loc } = program;
  const path = {
    type: 'PathExpression',
    data: false,
    depth: 0,
    parts: [decorator],
    original: decorator,
    loc,
  };
  program.body?.push({
    type: 'Decorator',
    path,
    params: [],
    hash: undefined,
    strip: { open: false, close: false },
    loc,
  } as Node);
}
