import { isUtf8 } from 'node:buffer';
import { binaryFrom } from './binary.js';
import { NO_CONVERTERS } from './converters.js';
import { type Convert, decodeExtended } from './extended-json-reader.js';
import { encodeExtended } from './extended-json.js';
import { MAX_DEPTH, type Snapshot } from './snapshot.js';

/** How a body is written. Stored beside it, so a number never changes its meaning. */
export const CodecId = {
  /** JSON, as it is. */
  json: 1,
  /** See extended-json.ts. */
  extended: 2,
  /** A Buffer, as it is. */
  bytes: 3,
  /** A string without lone surrogates, UTF-8. */
  text: 4,
} as const;

/** A repeated object without a prototype is written as three arrays and objects, one inside the other. */
const MAX_NODE_DEPTH = 3 * (MAX_DEPTH + 1);

/** The bytes of a snapshot. Read only: the body of a Buffer is the snapshot's own. */
export function encode(snapshot: Snapshot): { readonly codec: number; readonly body: Uint8Array } {
  const { value, isPlainJson } = snapshot;
  if (typeof value === 'string' && isWellFormed(value))
    return { codec: CodecId.text, body: Buffer.from(value) };
  if (isPlainJson) return { codec: CodecId.json, body: Buffer.from(JSON.stringify(value)) };
  if (Buffer.isBuffer(value)) return { codec: CodecId.bytes, body: value };
  return { codec: CodecId.extended, body: encodeExtended(value, snapshot.repeated) };
}

/**
 * The value of a body, which nobody else has: nothing of it refers to the bytes. Builds data only, takes time in
 * proportion to the length of the body, and trusts nothing in it.
 *
 * @throws Error if it is not what {@link encode} writes. A body that was changed into another one that is, is not noticed.
 */
export function decode(codec: number, body: Uint8Array, convert = noConverter): unknown {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  switch (codec) {
    case CodecId.json:
      return parsePlainJson(bytes);
    case CodecId.extended:
      return decodeExtended(bytes, parseJson, MAX_NODE_DEPTH, convert);
    case CodecId.bytes:
      return binaryFrom('Buffer', bytes);
    case CodecId.text:
      return readText(bytes);
    default:
      throw new Error(`There is no codec ${codec} in this version.`);
  }
}

const noConverter: Convert = (name, data) => NO_CONVERTERS.converted(name, data);

function parsePlainJson(bytes: Buffer): unknown {
  const value = parseJson(bytes);
  // Every level takes two bytes at least.
  if (bytes.length > 2 * MAX_DEPTH) refuseDeep(value, 0);
  return value;
}

/**
 * JSON.parse itself takes any depth; whoever walks the value afterwards would run out of stack. `for in` makes no lists: with
 * `Object.values` the walk costs a fifth of the parsing instead of a twelfth, and as much again in garbage.
 */
function refuseDeep(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > MAX_DEPTH) throw new Error('The body is nested too deep.');
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) refuseDeep(item, depth + 1);
  } else {
    for (const name in value) refuseDeep((value as Record<string, unknown>)[name], depth + 1);
  }
}

function parseJson(bytes: Buffer): unknown {
  const text = readText(bytes);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // The error of the engine quotes the data.
    throw new Error('The body is not JSON.');
  }
}

function readText(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new Error('The body is not UTF-8.');
  return bytes.toString();
}

function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}
