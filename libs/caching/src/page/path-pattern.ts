import { compile, type ParamData, parse, type Token } from 'path-to-regexp';
import { foldPath } from './page-tags.js';

/** What takes the places of a pattern's parameters. A wildcard takes a list of segments, or text with slashes. */
export type PathParams = Readonly<Record<string, string | number | readonly string[]>>;

/** The pattern of a registered path, such as `/products/:id{/reviews}`. */
export class PathPattern {
  /** `undefined` for what only the router of the platform understands: Fastify takes regular expressions. */
  private readonly tokens: readonly Token[] | undefined;

  constructor(readonly text: string) {
    this.tokens = tokensOf(text);
  }

  /** Whether paths can be made of it. */
  get isUnderstood(): boolean {
    return this.tokens !== undefined;
  }

  /** The names of its parameters. */
  get names(): readonly string[] {
    return namesIn(this.tokens ?? []);
  }

  /** The path with these parameters; `undefined` if one is missing that is not optional. */
  pathWith(params: PathParams): string | undefined {
    const given: ParamData = {};
    for (const { type, name } of parametersIn(this.tokens ?? [])) {
      const value = Object.hasOwn(params, name) ? params[name] : undefined;
      if (value === undefined) continue;
      const text = typeof value === 'object' ? value.map(String) : String(value);
      given[name] = type === 'wildcard' && typeof text === 'string' ? text.split('/') : text;
    }
    try {
      return compile(this.text)(given);
    } catch {
      return undefined;
    }
  }

  /** Whether a path of this pattern may be the prefix, or below it. A parameter may be anything. */
  mayBeUnder(prefix: string): boolean {
    const { segments, isOpen } = this.shape();
    return segmentsOf(foldPath(prefix)).every((wanted, index) => {
      const segment = index < segments.length ? segments[index] : isOpen ? ANYTHING : NOTHING;
      return segment === ANYTHING || segment === wanted;
    });
  }

  /** Segment by segment, as far as that is certain. */
  private shape(): Shape {
    if (this.tokens === undefined) return shapeOfUnknown(this.text);
    let text = '';
    for (const token of this.tokens) {
      if (token.type === 'text') {
        text += token.value;
      } else if (token.type === 'param') {
        text += PLACE;
      } else {
        // What is optional or goes on for ever: from here on everything is possible.
        const isNextSegment = token.type === 'group' && startsSegment(token.tokens[0]);
        return { segments: foldSegments(isNextSegment ? text : text + PLACE), isOpen: true };
      }
    }
    return { segments: foldSegments(text), isOpen: false };
  }
}

interface Shape {
  readonly segments: readonly string[];
  /** Whether more may follow. */
  readonly isOpen: boolean;
}

/** Stands for a parameter in the text of a segment. No path has it: a NUL is refused by Node. */
const PLACE = '\0';
const ANYTHING = '\0anything';
const NOTHING = '\0nothing';

function tokensOf(text: string): readonly Token[] | undefined {
  try {
    return parse(text).tokens;
  } catch {
    return undefined;
  }
}

function parametersIn(tokens: readonly Token[]): Extract<Token, { name: string }>[] {
  return tokens.flatMap((token) => {
    if (token.type === 'text') return [];
    return token.type === 'group' ? parametersIn(token.tokens) : [token];
  });
}

function namesIn(tokens: readonly Token[]): string[] {
  return parametersIn(tokens).map(({ name }) => name);
}

function startsSegment(token: Token | undefined): boolean {
  return token?.type === 'text' && token.value.startsWith('/');
}

function foldSegments(text: string): readonly string[] {
  return segmentsOf(foldPath(text)).map((segment) => (segment.includes(PLACE) ? ANYTHING : segment));
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

/** Of a pattern in a language that we do not speak only the plain segments at its beginning are certain. */
function shapeOfUnknown(text: string): Shape {
  const segments = segmentsOf(text);
  const plain = segments.findIndex((segment) => /[^\w.~%-]/.test(segment));
  return {
    segments: foldSegments(segments.slice(0, plain === -1 ? undefined : plain).join('/')),
    isOpen: true,
  };
}
