/** An argument of a Redis command. */
export type RedisArgument = string | Buffer;

/** How a reply is read. */
export interface ReplyOptions {
  /** Types of the protocol to what they are read as: see {@link AS_BYTES}. */
  readonly typeMapping: { readonly [type: number]: BufferConstructor };
}

/** Strings in the reply come as bytes. 36 is `$`, the type of a string in the Redis protocol. */
export const AS_BYTES: ReplyOptions = { typeMapping: { 36: Buffer } };

/** Sends a command to one server. */
export type Send = (args: RedisArgument[], options?: ReplyOptions) => Promise<unknown>;

/** The way to the server or servers that hold the keys. */
export interface RedisLink {
  /** Sends a command to where the key is. Fails at once while the server is away. */
  send(key: string, args: RedisArgument[], options?: ReplyOptions): Promise<unknown>;
  /** The keys in groups that one command may name, in the same order if there is one group. */
  group(keys: readonly string[]): readonly (readonly string[])[];
  /** Every server that holds keys. */
  servers(): Promise<readonly Send[]>;
  /** Connects anew, because the server turned out not to be the one that takes writes. */
  relocate(reason: unknown): void;
  /** Ends within a second. Whatever is under way then fails. */
  close(): Promise<void>;
}

/** Keys in one command at most, so that no command holds the server up for long. */
const KEYS_PER_COMMAND = 1000;

/** Groups of bounded size. */
export function inChunks(keys: readonly string[]): readonly (readonly string[])[] {
  if (keys.length <= KEYS_PER_COMMAND) return [keys];
  const chunks: (readonly string[])[] = [];
  for (let at = 0; at < keys.length; at += KEYS_PER_COMMAND)
    chunks.push(keys.slice(at, at + KEYS_PER_COMMAND));
  return chunks;
}

/**
 * Whether the server itself answered with an error, as `OOM command not allowed …`; anything else is a failure of the
 * connection. By the shape and the text: the classes of the client are not within reach through `@keyv/redis`, and
 * `Error` is another one in another realm.
 */
export function isErrorReply(error: unknown): error is Error {
  if (typeof error !== 'object' || error === null || 'code' in error) return false;
  const { message } = error as { readonly message?: unknown };
  return typeof message === 'string' && /^[A-Z]{3,} /.test(message);
}
