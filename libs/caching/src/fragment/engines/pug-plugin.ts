import { InvalidArgumentError } from '../../errors.js';

/** What a compiled template calls when it meets a cached block. */
export const BLOCKS = '__fragments';

/** A node of a linked template, as far as blocks are concerned. */
interface Node {
  readonly type: string;
  readonly name?: string;
  readonly call?: boolean;
  readonly args?: string | null;
  readonly attrs?: readonly { readonly name: string; readonly val: string }[];
  readonly line?: number;
  readonly column?: number;
  readonly filename?: string;
  nodes?: Node[];
  block?: Node | null;
  consequent?: Node | null;
  alternate?: Node | null;
}

const LITERAL_NAME = /^\s*(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*(?:,|$)/;
const VARIABLE = /^["']([A-Za-z_$][\w$]*)["']$/;

/**
 * Turns calls of the mixin `cache` into loops of one round or none, over what {@link BLOCKS} yields: so a block is rendered
 * in its place, where all variables are as they should be, and what it has put out is known.
 *
 * @param isSelf whether locals are reached by `self`
 */
export function fragmentPlugin(isSelf: boolean): object {
  const blocks = isSelf ? `self.${BLOCKS}` : BLOCKS;
  return { preCodeGen: (tree: Node) => replaced(tree, blocks) };
}

function replaced(node: Node, blocks: string): Node {
  if (node.nodes) node.nodes = node.nodes.map((each) => replaced(each, blocks));
  for (const part of ['block', 'consequent', 'alternate'] as const) {
    const child = node[part];
    if (child) node[part] = replaced(child, blocks);
  }
  return node.type === 'Mixin' && node.name === 'cache' ? loop(node, blocks) : node;
}

function loop(mixin: Node, blocks: string): Node {
  const { args, attrs = [], block, line = 0, column, filename } = mixin;
  const refuse = (message: string) => new InvalidArgumentError(`${filename ?? 'Pug'}:${line}: ${message}`);
  if (mixin.call !== true) throw refuse('the mixin "cache" is that of fragments. Give yours another name.');
  if (!LITERAL_NAME.test(args ?? ''))
    throw refuse(
      "+cache takes the fragment's name first, as literal text: +cache(\"popular\", { ttl: '15m' }).",
    );
  if (!block) throw refuse('+cache takes a block.');
  const as = VARIABLE.exec(attrs.find(({ name }) => name === 'as')?.val ?? '"__data"')?.[1];
  if (as === undefined || attrs.some(({ name }) => name !== 'as'))
    throw refuse(
      '+cache takes one attribute, the name of its data: +cache("popular", { data: load })(as="rows").',
    );
  const output = 'function (html) { if (html !== undefined) pug_html = html; return pug_html; }';
  const code = {
    type: 'Code',
    val: `for (const ${as} of ${blocks}(${output}, ${args}))`,
    buffer: false,
    mustEscape: false,
    isInline: false,
    block,
    line,
    column,
    filename,
  };
  return code as Node;
}
