import type { Frame, Node, NodeClass, NodeList, Nodes, Parser, TagMethod } from './nunjucks-parts.js';

/** Stands at the beginning of every template, so that all of it is read by a {@link TemplateReader}. */
export const READER_TAG = '__fragments';
/** Answers asynchronous filters with what they were given: what follows them sees it as a variable of JavaScript. */
export const SAME = 'fragment same';
/** What a loop goes through, as a list. */
export const ROWS = 'fragment rows';
/** Whether a loop went through nothing. */
export const IS_EMPTY = 'fragment is empty';

/** The tags within which Nunjucks does not wait: it would leave out what is loaded in there. */
const HASTY: readonly (readonly [TagMethod, string])[] = [
  ['parseMacro', 'macro'],
  ['parseCall', 'call'],
  ['parseFilterStatement', 'filter'],
  ['parseSet', 'set'],
  ['parseSwitch', 'switch'],
];

/** Names that a loop which waits cannot have: they are words of JavaScript, or names within compiled templates. */
const TAKEN = new RegExp(
  '^(?:arguments|await|break|callback|case|catch|cb|class|colno|const|context|continue|debugger|default|delete|do|else|' +
    'enum|env|eval|export|extends|finally|for|frame|function|if|import|in|instanceof|let|lineno|new|next|output|' +
    'parentTemplate|return|runtime|static|super|switch|tasks|this|throw|try|typeof|var|void|while|with|yield|' +
    '(?:[btl]|hole|macro)_.*|.*[^\\w$].*|\\d.*)$',
);

/** A cached block whose data has a name. */
interface NamedBlock {
  readonly as: unknown;
  readonly body: NodeList;
}

const readers = new WeakMap<Parser, TemplateReader>();

/** What reads the template of a parser, from now on. */
export function readerOf(parser: Parser, nodes: Nodes, extension: object): TemplateReader {
  const reader = readers.get(parser) ?? new TemplateReader(parser, nodes, extension);
  readers.set(parser, reader);
  return reader;
}

/** Reads {@link READER_TAG}, as if it had not been there: a line break behind it stays, and columns are those of the author. */
export function beginReading({ tokens }: Parser, nodes: Nodes, column: number): Node {
  const { BLOCK_START, BLOCK_END } = tokens.tags;
  tokens.index += ` ${BLOCK_END}`.length;
  tokens.colno = column - `${BLOCK_START} `.length;
  tokens.in_code = false;
  return new nodes.Output(0, 0, []);
}

/**
 * Reads one template. Nunjucks makes an `if` or a `for` wait only if a tag that waits stands in it, in the same template. A
 * cached block may as well be in what is included, or in the block of another template, so these tags have to wait too.
 */
export class TemplateReader {
  /** How many tags were read that may have to wait. */
  private waiting = 0;
  /** The tags around the one that is being read within which Nunjucks does not wait. */
  private readonly hasty: string[] = [];
  /** The cached blocks that were read, of the function that is being compiled: each block has one. */
  private named: NamedBlock[] = [];
  /** The names of the macros that were read. */
  private readonly macros: Node[] = [];

  constructor(
    parser: Parser,
    private readonly nodes: Nodes,
    private readonly extension: object,
  ) {
    const replace = (method: TagMethod, read: (original: () => Node) => Node): void => {
      const original = parser[method].bind(parser);
      parser[method] = () => read(original);
    };
    replace('parseInclude', (read) => this.mayWait(read()));
    replace('parseBlock', (read) => this.mayWait(this.readBlock(read)));
    replace('parseIf', (read) => this.readIf(read));
    replace('parseFor', (read) => this.readFor(read));
    for (const [method, tag] of HASTY) replace(method, (read) => this.readHasty(tag, read));
  }

  /** The tag around, if it is one within which Nunjucks does not wait. */
  get hastyTag(): string | undefined {
    return this.hasty.at(-1);
  }

  /** Takes a cached block up, which gets a frame, a context and data of its own. */
  cachedBlock(as: unknown, body: NodeList): void {
    this.waiting += 1;
    // The blank keeps them apart from variables of the template.
    body.children.unshift(this.passed('context'), this.passed('frame'));
    this.named.push({ as, body });
  }

  /** What may have to wait. Where Nunjucks does not do so, cached blocks that are reached from here are told. */
  private mayWait(node: Node): Node {
    const { hastyTag } = this;
    if (hastyTag === undefined) {
      this.waiting += 1;
      return node;
    }
    const name = this.literal(node, hastyTag);
    return this.list(node, [this.call(node, 'enterHasty', [name]), node, this.call(node, 'leaveHasty', [])]);
  }

  private readHasty(tag: string, read: () => Node): Node {
    this.hasty.push(tag);
    const node = read();
    this.hasty.pop();
    if (node.typename === 'Macro') this.macros.push(node.name!);
    return node;
  }

  private readBlock(read: () => Node): Node {
    const around = this.named;
    this.named = [];
    const node = read();
    this.named = around;
    return node;
  }

  private readIf(read: () => Node): Node {
    const { waiting } = this;
    const first = this.macros.length;
    const node = read();
    if (this.waiting === waiting || node.typename !== 'If') return node;
    const { IfAsync } = this.nodes;
    const macros = this.macros.slice(first).map(({ value }) => this.lookedUp(String(value)));
    return this.list(node, [
      new IfAsync(node.lineno, node.colno, node.cond, node.body, node.else_),
      ...macros,
    ]);
  }

  private readFor(read: () => Node): Node {
    const { waiting } = this;
    const first = this.named.length;
    const node = read();
    if (this.waiting === waiting) return node;
    const names = node.name?.children ?? [node.name!];
    this.uncover(first, names);
    const isParallel = node.typename === 'AsyncAll';
    if (!isParallel)
      (node.body as NodeList).children.push(this.call(node, 'endRound', [], this.nodes.CallExtensionAsync));
    return this.waitingLoop(node, names, isParallel ? this.nodes.AsyncAll : this.nodes.AsyncEach);
  }

  /**
   * A loop as Nunjucks' `asyncEach`, which waits, or `asyncAll`. They take lists only, have names get into the way of compiled
   * templates, and do not wait in their `else`.
   */
  private waitingLoop(node: Node, names: readonly Node[], type: NodeClass): Node {
    const { lineno, colno, arr, body, else_ } = node;
    const hasElse = else_ !== undefined && else_ !== null;
    const rows = this.filter(node, ROWS, [
      arr!,
      this.literal(node, names.length),
      this.literal(node, hasElse),
    ]);
    const safe = names.map((name, index) => {
      if (!TAKEN.test(String(name.value))) return name;
      const other = new this.nodes.Symbol(name.lineno, name.colno, `fragment_${index}`);
      const original = this.literal(name, name.value);
      (body as NodeList).children.unshift(this.call(name, 'setVariable', [original, other]));
      return other;
    });
    const name = safe.length === 1 ? safe[0] : new this.nodes.Array(lineno, colno, safe);
    const loop = new type(lineno, colno, rows, name, body, null);
    if (!hasElse) return loop;
    const otherwise = new this.nodes.IfAsync(lineno, colno, this.filter(node, IS_EMPTY, []), else_, null);
    return this.list(node, [loop, otherwise]);
  }

  /** Within loops their variables are those of JavaScript, which would cover the data of a block of the same name. */
  private uncover(first: number, names: readonly Node[]): void {
    const known = new Set(names.map(({ value }) => value).filter((name) => !TAKEN.test(String(name))));
    this.named = this.named.filter(({ as, body }, index) => {
      if (index < first || !known.has(as)) return true;
      body.children.splice(1, 0, this.passed('data', String(as)));
      return false;
    });
  }

  /** Lets what follows in a block see what was passed to it. */
  private passed(what: string, as = `${what} `): Node {
    return this.variable(as, `cb.${what}`);
  }

  /** Lets what follows see a macro by what is known of it while the template runs: its variable may be out of sight. */
  private lookedUp(macro: string): Node {
    return this.variable(macro, `runtime.contextOrFrameLookup(context, frame, ${JSON.stringify(macro)})`);
  }

  /** A variable of JavaScript, for all that follows. */
  private variable(name: string, script: string): Node {
    const { FilterAsync, Symbol: Name, NodeList: List } = this.nodes;
    return new FilterAsync(
      0,
      0,
      new Name(0, 0, SAME),
      new List(0, 0, [this.script(script)]),
      new Name(0, 0, name),
    );
  }

  /** A call of the extension, which gets the frame and what is given. */
  private call(at: Node, method: string, args: Node[], type = this.nodes.CallExtension): Node {
    return new type(this.extension, method, this.list(at, [this.frame, ...args]), []);
  }

  private filter({ lineno, colno }: Node, name: string, args: Node[]): Node {
    const { Filter, Symbol: Name, NodeList: List } = this.nodes;
    return new Filter(
      lineno,
      colno,
      new Name(lineno, colno, name),
      new List(lineno, colno, [...args, this.frame]),
    );
  }

  /** The frame in which a template is when it comes here. */
  get frame(): Node {
    return this.script('frame');
  }

  /** Nunjucks writes literals that are no text into a compiled template as they are. */
  private script(text: string): Node {
    return new this.nodes.Literal(0, 0, { toString: () => text });
  }

  private literal({ lineno, colno }: Node, value: unknown): Node {
    return new this.nodes.Literal(lineno, colno, value);
  }

  private list({ lineno, colno }: Node, children: Node[]): NodeList {
    return new this.nodes.NodeList(lineno, colno, children);
  }
}

/** Loops that went through nothing, by the frame around them. */
const empty = new WeakSet<Frame>();

/** What a loop goes through, as a list: Nunjucks' own loops take more than those that wait. */
export function rowsOf(given: unknown, names: number, hasElse: boolean, { parent }: Frame): unknown[] {
  const rows = listOf(given, names);
  if (hasElse && rows.length === 0 && parent) empty.add(parent);
  return rows;
}

/** Whether the loop before this was empty. */
export function isEmpty(frame: Frame): boolean {
  return empty.delete(frame);
}

function listOf(given: unknown, names: number): unknown[] {
  if (!given) return [];
  const isIterable = typeof given === 'object' && Symbol.iterator in given;
  const list: unknown = isIterable && !Array.isArray(given) ? [...(given as Iterable<unknown>)] : given;
  if (names === 1) return Array.isArray(list) ? list : (Array.prototype.slice.call(list) as unknown[]);
  const tuples = Array.isArray(list) ? (list as unknown[][]) : pairsOf(list as object);
  return tuples.map((tuple) => Array.from({ length: names }, (_value, index) => tuple[index]));
}

/** Names and values, those that are inherited too. */
function pairsOf(given: object): unknown[][] {
  const pairs: unknown[][] = [];
  for (const name in Object(given)) pairs.push([name, (given as Record<string, unknown>)[name]]);
  return pairs;
}
