/** The parts of Nunjucks that fragments work with: its nodes, its parser, and what compiled templates pass on. */

/** A node of a template. Which fields there are depends on its type. */
export interface Node {
  readonly typename: string;
  readonly lineno: number;
  readonly colno: number;
  readonly key?: Node;
  readonly value?: unknown;
  readonly children?: Node[];
  readonly name?: Node;
  readonly arr?: Node;
  readonly cond?: Node;
  readonly body?: Node;
  readonly else_?: Node | null;
}

/** A node that others are in. */
export interface NodeList extends Node {
  readonly children: Node[];
}

export type NodeClass<N = Node> = new (line: number, column: number, ...fields: unknown[]) => N;
type CallClass = new (extension: object, method: string, args: Node, blocks: Node[]) => Node;

export type Nodes = Readonly<
  Record<
    | 'Literal'
    | 'Symbol'
    | 'Dict'
    | 'KeywordArgs'
    | 'Array'
    | 'Output'
    | 'IfAsync'
    | 'AsyncEach'
    | 'AsyncAll'
    | 'Filter'
    | 'FilterAsync',
    NodeClass
  >
> & {
  readonly NodeList: NodeClass<NodeList>;
  readonly CallExtension: CallClass;
  readonly CallExtensionAsync: CallClass;
};

export interface Token {
  readonly value: string;
  readonly lineno: number;
  readonly colno: number;
}

/** What the parser reads from. */
interface Tokenizer {
  /** How far it has read. */
  index: number;
  colno: number;
  in_code: boolean;
  readonly tags: Readonly<Record<'BLOCK_START' | 'BLOCK_END', string>>;
}

/** The methods of the parser that read a tag, each with all that is in it. */
export type TagMethod =
  | 'parseInclude'
  | 'parseBlock'
  | 'parseIf'
  | 'parseFor'
  | 'parseMacro'
  | 'parseCall'
  | 'parseFilterStatement'
  | 'parseSet'
  | 'parseSwitch';

export interface Parser extends Record<TagMethod, () => Node> {
  readonly tokens: Tokenizer;
  nextToken(): Token;
  parseSignature(tolerant: null, isWithoutParentheses: boolean): NodeList;
  parseUntilBlocks(...names: string[]): NodeList;
  advanceAfterBlockEnd(name?: string): void;
  fail(message: string, line: number, column: number): never;
}

/** The variables of a loop or a template while it runs. */
export interface Frame {
  readonly variables: Record<string, unknown>;
  readonly parent: Frame | undefined;
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  /** The value here or around here. */
  lookup(name: string): unknown;
  push(): Frame;
}

/** What a template is rendered with. */
export interface Context {
  readonly ctx: Readonly<Record<string, unknown>>;
}

/** Goes on with a template. */
export type Done = (error: Error | null, html?: unknown) => void;
