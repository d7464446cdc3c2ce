import { binaryName, bytesOf, isBinary } from './binary.js';
import { Converted } from './converters.js';
import { isSparse } from './plain-data.js';

/**
 * JSON for what JSON cannot say, with binary data behind it as it is:
 *
 * | bytes | what |
 * |---|---|
 * | 4 | length of the JSON, big-endian |
 * | … | the JSON, UTF-8 |
 * | … | the binary data, in the order in which the JSON names it |
 *
 * A string that begins with `~` means something else. An array that begins with one of the last group does.
 *
 * | in the JSON | is |
 * |---|---|
 * | `"~~…"` | the string `~…` |
 * | `"~u"`, `"~n"`, `"~i"`, `"~j"`, `"~z"` | `undefined`, `NaN`, `Infinity`, `-Infinity`, `-0` |
 * | `"~d1700000000000"`, `"~dNaN"` | a Date |
 * | `"~b-ff"` | a bigint, hexadecimal: read in linear time |
 * | `"~#3"` | the fourth repeated object that was complete, once more; so there are no cycles |
 * | `["~=", object]` | the first occurrence of a repeated object |
 * | `["~m", key, value, …]`, `["~s", member, …]` | a Map, a Set |
 * | `["~o", {…}]` | an object without a prototype |
 * | `["~a", length, index, value, …]` | an array with holes |
 * | `["~v", class, bytes]` | binary data |
 * | `["~c", name, data]` | an instance that the converter of that name makes of the data |
 */
export const HEADER_BYTES = 4;
/** `~` */
export const TILDE = 0x7e;

/** A value from a snapshot, with the objects in it that occur several times. */
export function encodeExtended(value: unknown, repeated: ReadonlySet<object> | undefined): Uint8Array {
  const writer = new Writer(repeated);
  const json = JSON.stringify(writer.write(value));
  const jsonBytes = Buffer.byteLength(json);
  const body = Buffer.allocUnsafe(HEADER_BYTES + jsonBytes + writer.blobBytes);
  body.writeUInt32BE(jsonBytes, 0);
  body.write(json, HEADER_BYTES);
  let offset = HEADER_BYTES + jsonBytes;
  for (const blob of writer.blobs) {
    body.set(blob, offset);
    offset += blob.byteLength;
  }
  return body;
}

class Writer {
  readonly blobs: Uint8Array[] = [];
  blobBytes = 0;
  private readonly ids = new Map<object, number>();

  constructor(private readonly repeated: ReadonlySet<object> | undefined) {}

  /** What JSON is to be made of. A container in which nothing is special is returned as it is. */
  write(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
        return value.charCodeAt(0) === TILDE ? `~${value}` : value;
      case 'number':
        return writeNumber(value);
      case 'bigint':
        return `~b${value.toString(16)}`;
      case 'undefined':
        return '~u';
      case 'object':
        return value === null ? null : this.writeObject(value);
      default:
        return value;
    }
  }

  private writeObject(value: object): unknown {
    if (this.repeated?.has(value) !== true) return this.writeContents(value);
    const id = this.ids.get(value);
    if (id !== undefined) return `~#${id}`;
    const contents = this.writeContents(value);
    this.ids.set(value, this.ids.size);
    return ['~=', contents];
  }

  private writeContents(value: object): unknown {
    if (Array.isArray(value)) return isSparse(value) ? this.writeSparse(value) : this.writeArray(value);
    if (value instanceof Converted) return ['~c', this.write(value.name), this.write(value.data)];
    if (value instanceof Date) return `~d${value.getTime()}`;
    if (value instanceof Map) return this.writeMap(value);
    if (value instanceof Set) return ['~s', ...Array.from(value, (item) => this.write(item))];
    if (isBinary(value)) {
      const bytes = bytesOf(value);
      this.blobs.push(bytes);
      this.blobBytes += bytes.byteLength;
      return ['~v', binaryName(value), bytes.byteLength];
    }
    const fields = this.writeFields(value as Readonly<Record<string, unknown>>);
    return Object.getPrototypeOf(value) === null ? ['~o', fields] : fields;
  }

  private writeMap(value: ReadonlyMap<unknown, unknown>): readonly unknown[] {
    const out: unknown[] = ['~m'];
    for (const [key, item] of value) out.push(this.write(key), this.write(item));
    return out;
  }

  private writeFields(value: Readonly<Record<string, unknown>>): object {
    let copy: Record<string, unknown> | undefined;
    for (const key of Object.keys(value)) {
      const written = this.write(value[key]);
      if (written !== value[key]) (copy ??= { ...value })[key] = written;
    }
    return copy ?? value;
  }

  private writeArray(value: readonly unknown[]): readonly unknown[] {
    let copy: unknown[] | undefined;
    for (let index = 0; index < value.length; index++) {
      const written = this.write(value[index]);
      if (written !== value[index]) (copy ??= value.slice())[index] = written;
    }
    return copy ?? value;
  }

  private writeSparse(value: readonly unknown[]): readonly unknown[] {
    const out: unknown[] = ['~a', value.length];
    for (const key of Object.keys(value)) out.push(Number(key), this.write(value[Number(key)]));
    return out;
  }
}

function writeNumber(value: number): number | string {
  if (value - value === 0) return Object.is(value, -0) ? '~z' : value;
  if (Number.isNaN(value)) return '~n';
  return value > 0 ? '~i' : '~j';
}
