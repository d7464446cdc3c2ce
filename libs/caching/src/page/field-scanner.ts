const TAB = 0x09;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const DELETE = 0x7f;
const LAST_LATIN1 = 0xff;

/** Which of the first 128 characters may stand in a token (RFC 9110 §5.6.2). */
const IS_TOKEN_CHAR = Array.from({ length: 128 }, (_, code) =>
  /[!#$%&'*+\-.^_`|~\w]/.test(String.fromCharCode(code)),
);

/** Reads a header field from left to right. It never goes back, so the time it takes is linear, whatever was sent. */
export class FieldScanner {
  private at = 0;

  constructor(private readonly text: string) {}

  get isAtEnd(): boolean {
    return this.at >= this.text.length;
  }

  /** Passes spaces and tabs. */
  skipBlanks(): void {
    let code = this.code();
    while (code === SPACE || code === TAB) {
      this.at += 1;
      code = this.code();
    }
  }

  /** Passes this text if it comes next; says whether it did. */
  accept(expected: string): boolean {
    for (let index = 0; index < expected.length; index += 1) {
      if (this.text.charCodeAt(this.at + index) !== expected.charCodeAt(index)) return false;
    }
    this.at += expected.length;
    return true;
  }

  /** A token; empty if none comes next. */
  token(): string {
    const start = this.at;
    while (IS_TOKEN_CHAR[this.code()] === true) this.at += 1;
    return this.text.slice(start, this.at);
  }

  /** The content of a quoted string whose opening quote has been passed; `undefined` if it does not end. */
  restOfQuoted(): string | undefined {
    let content = '';
    let start = this.at;
    for (let code = this.code(); !Number.isNaN(code); code = this.code()) {
      if (code === QUOTE) {
        content += this.text.slice(start, this.at);
        this.at += 1;
        return content;
      }
      if (code === BACKSLASH) {
        content += this.text.slice(start, this.at);
        this.at += 1;
        start = this.at;
      }
      this.at += 1;
    }
    return undefined;
  }

  /** What stands between the quotes of an entity tag (RFC 9110 §8.8.3), where a backslash means itself. */
  restOfTag(): string | undefined {
    const start = this.at;
    for (let code = this.code(); !Number.isNaN(code); code = this.code()) {
      this.at += 1;
      if (code === QUOTE) return this.text.slice(start, this.at - 1);
      if (code <= SPACE || code === DELETE || code > LAST_LATIN1) return undefined;
    }
    return undefined;
  }

  /** The code of the next character, `NaN` at the end. */
  private code(): number {
    return this.text.charCodeAt(this.at);
  }
}

/** Whether a text is one token, as names of headers and of cookies must be. */
export function isToken(text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~\w]+$/.test(text);
}
