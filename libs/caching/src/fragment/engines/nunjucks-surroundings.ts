/** What the parser of Nunjucks reads from. */
export interface Source {
  readonly str: string;
  /** How far it has read. */
  readonly index: number;
  readonly tags: Readonly<Record<'BLOCK_START' | 'BLOCK_END' | 'COMMENT_START' | 'COMMENT_END', string>>;
}

/**
 * The tag around a place in a template, if it is one for which Nunjucks does not wait: a macro, a call, a filter, or a `set`
 * with a block. It would go on without what is loaded in there, and leave out the rest of the block.
 */
export function hastyTagAround({ str, index, tags }: Source): string | undefined {
  const [start, end, open, close] = [
    tags.BLOCK_START,
    tags.BLOCK_END,
    tags.COMMENT_START,
    tags.COMMENT_END,
  ].map((tag) => tag.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')) as [string, string, string, string];
  const raw = `${start}-?\\s*(raw|verbatim)\\b[^]*?${start}-?\\s*end\\1\\b`;
  const text = str.slice(0, index).replace(new RegExp(`${open}[^]*?${close}|${raw}`, 'g'), '');
  const tag = new RegExp(`${start}-?\\s*(end)?(macro|call|filter|set)\\b([^]*?)${end}`, 'g');
  const around: string[] = [];
  for (const [, isEnd, name = '', given = ''] of text.matchAll(tag)) {
    if (isEnd !== undefined) around.pop();
    else if (name !== 'set' || !given.includes('=')) around.push(name);
  }
  return around.at(-1);
}
