import { InvalidKeyError } from '../../errors.js';
import type { ServerAddress } from './addresses.js';
import { MemcachedConnection, type ConnectionOptions } from './connection.js';
import { MemcachedError, MemcachedRefusal } from './failures.js';
import { ItemsReply, StatsReply, WordReply, type Item } from './replies.js';

/** What became of a write: `kept` means that the server kept what it had, because of `add` or `cas`. */
export type Stored = 'stored' | 'kept' | 'too large';

/** How to write: over anything, only if there is nothing, or only over the item with this number. */
export type Condition = 'always' | 'absent' | { readonly cas: string };

/** The commands of one server, in the classic text protocol. Keys are checked before they reach the socket. */
export class MemcachedServer {
  /** `host:port`, or the path of a socket. */
  readonly name: string;
  private readonly connection: MemcachedConnection;

  constructor(address: ServerAddress, options: ConnectionOptions) {
    this.name = address.name;
    this.connection = new MemcachedConnection(address, options);
  }

  /** The items under these keys, in one command. */
  async get(keys: readonly string[]): Promise<Map<string, Item>> {
    const asked = [...new Set(keys.map(safe))];
    return this.connection.ask(new ItemsReply(this.name, asked), `get ${asked.join(' ')}`);
  }

  /** The item under this key, with the number that a `cas` needs. */
  async gets(key: string): Promise<{ readonly data: Buffer; readonly cas: string } | undefined> {
    const items = await this.connection.ask(new ItemsReply(this.name, [key]), `gets ${safe(key)}`);
    const item = items.get(key);
    if (item === undefined) return undefined;
    if (item.cas === undefined)
      throw new MemcachedError(this.name, 'runs without compare-and-swap; start it without -C');
    return { data: item.data, cas: item.cas };
  }

  async store(key: string, data: Uint8Array, exptime: number, condition: Condition): Promise<Stored> {
    const [verb, tail] =
      condition === 'always'
        ? ['set', '']
        : condition === 'absent'
          ? ['add', '']
          : ['cas', ` ${condition.cas}`];
    const reply = new WordReply(this.name, ['STORED', 'NOT_STORED', 'EXISTS', 'NOT_FOUND']);
    try {
      const word = await this.connection.ask(
        reply,
        `${verb} ${safe(key)} 0 ${exptime} ${data.length}${tail}`,
        data,
      );
      return word === 'STORED' ? 'stored' : 'kept';
    } catch (error) {
      if (error instanceof MemcachedRefusal && error.tooLarge) return 'too large';
      throw error;
    }
  }

  /** Answers whether an item was there, expired by our frame or not. */
  async delete(key: string): Promise<boolean> {
    const reply = new WordReply(this.name, ['DELETED', 'NOT_FOUND']);
    return (await this.connection.ask(reply, `delete ${safe(key)}`)) === 'DELETED';
  }

  /** The server's `-I` in bytes, if it tells. */
  async itemSizeMax(): Promise<number | undefined> {
    const stats = await this.connection.ask(new StatsReply(this.name), 'stats settings');
    const bytes = Number(stats.get('item_size_max'));
    return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
  }

  /** @throws MemcachedError after {@link close} */
  ensureOpen(): void {
    this.connection.ensureOpen();
  }

  close(): Promise<void> {
    return this.connection.close();
  }
}

/** Lets nothing through that the protocol would take for more than a key. */
function safe(key: string): string {
  if (/^[\x21-\x7e]{1,250}$/.test(key)) return key;
  throw new InvalidKeyError(
    'A key for memcached is 1 to 250 bytes of printable ASCII without spaces. Nothing was sent.',
  );
}
