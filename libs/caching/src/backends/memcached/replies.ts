import { MemcachedError, MemcachedRefusal } from './failures.js';

/** What comes after a line of a reply: nothing, another line, or a block of so many bytes. */
export type Next = 'end' | 'line' | number;

/** The reply to one command, read line by line. Anything unexpected is thrown, and ends the connection. */
export interface Reply<T> {
  line(text: string): Next;
  /** The block that {@link line} announced. */
  block(data: Buffer): void;
  /** The outcome after the end; throws what the server refused. */
  result(): T;
}

/** An item as the server holds it. */
export interface Item {
  readonly data: Buffer;
  /** The number that `cas` compares, in decimal digits; only if it was asked for. */
  readonly cas: string | undefined;
}

/** The largest `-I` that a server takes. */
const LARGEST_ITEM = 2 ** 30;

/** The part that all replies share: refusals and lines that must not be there. */
abstract class ServerReply<T> implements Reply<T> {
  private refusal: MemcachedRefusal | undefined;

  constructor(protected readonly server: string) {}

  line(text: string): Next {
    if (text.startsWith('SERVER_ERROR')) {
      this.refusal = new MemcachedRefusal(this.server, text.slice('SERVER_ERROR '.length));
      return 'end';
    }
    return this.read(text) ?? this.fail(text);
  }

  block(_data: Buffer): void {
    this.fail('a block');
  }

  result(): T {
    if (this.refusal !== undefined) throw this.refusal;
    return this.outcome();
  }

  /** What comes next, or `undefined` if the line has no place here. */
  protected abstract read(text: string): Next | undefined;
  protected abstract outcome(): T;

  private fail(text: string): never {
    const complaint = /^(?:CLIENT_)?ERROR\b[ -~]*$/.test(text)
      ? text
      : 'something that belongs to no command';
    throw new MemcachedError(this.server, `answered ${complaint}; the connection was dropped`);
  }
}

/** The reply to `get` and `gets`. An item under a key that was not asked for is an answer to somebody else. */
export class ItemsReply extends ServerReply<Map<string, Item>> {
  private readonly wanted: ReadonlySet<string>;
  private readonly items = new Map<string, Item>();
  private key = '';
  private cas: string | undefined;

  constructor(server: string, keys: readonly string[]) {
    super(server);
    this.wanted = new Set(keys);
  }

  protected read(text: string): Next | undefined {
    if (text === 'END') return 'end';
    const [word, key, , digits, cas] = text.split(' ');
    const size = Number(digits);
    if (word !== 'VALUE' || key === undefined || !this.wanted.has(key)) return undefined;
    if (!Number.isInteger(size) || size < 0 || size > LARGEST_ITEM) return undefined;
    this.key = key;
    this.cas = cas;
    return size;
  }

  override block(data: Buffer): void {
    this.items.set(this.key, { data, cas: this.cas });
  }

  protected outcome(): Map<string, Item> {
    return this.items;
  }
}

/** A reply of one word out of a few. */
export class WordReply<W extends string> extends ServerReply<W> {
  private word: W | undefined;

  constructor(
    server: string,
    private readonly words: readonly W[],
  ) {
    super(server);
  }

  protected read(text: string): Next | undefined {
    this.word = this.words.find((word) => word === text);
    return this.word === undefined ? undefined : 'end';
  }

  protected outcome(): W {
    return this.word as W;
  }
}

/** The reply to `stats`: names and values. */
export class StatsReply extends ServerReply<Map<string, string>> {
  private readonly stats = new Map<string, string>();

  protected read(text: string): Next | undefined {
    if (text === 'END') return 'end';
    const [word, name, ...value] = text.split(' ');
    if (word !== 'STAT' || name === undefined) return undefined;
    this.stats.set(name, value.join(' '));
    return 'line';
  }

  protected outcome(): Map<string, string> {
    return this.stats;
  }
}
