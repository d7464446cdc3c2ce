import { binaryFrom } from './binary.js';
import type { Converted } from './converters.js';
import { HEADER_BYTES, TILDE } from './extended-json.js';
import { holes, shallowNullPrototypeCopy } from './plain-data.js';

/** The furthest time of a Date from 1970, in milliseconds. */
const MAX_DATE = 8.64e15;
const BIGINT = /^-?[0-9a-f]+$/;

/**
 * Reads what encodeExtended wrote, and throws on everything else.
 *
 * @param parseJson gets the JSON as UTF-8
 * @param maxDepth how deep the JSON may be nested
 * @param convert what the converter of that name keeps as this data; throws if there is none
 */
export function decodeExtended(
  body: Buffer,
  parseJson: (json: Buffer) => unknown,
  maxDepth: number,
  convert: Convert,
): unknown {
  if (body.length < HEADER_BYTES) throw new Error('The body has no header.');
  const jsonEnd = HEADER_BYTES + body.readUInt32BE(0);
  if (jsonEnd > body.length) throw new Error('The body is cut off.');
  const reader = new Reader(body.subarray(jsonEnd), maxDepth, convert);
  const value = reader.read(parseJson(body.subarray(HEADER_BYTES, jsonEnd)), 0);
  if (!reader.isAtEnd) throw new Error('The body has binary data that nothing names.');
  return value;
}

export type Convert = (name: string, data: unknown) => Converted;

class Reader {
  private readonly repeated: object[] = [];
  private offset = 0;

  constructor(
    private readonly blobs: Buffer,
    private readonly maxDepth: number,
    private readonly convert: Convert,
  ) {}

  get isAtEnd(): boolean {
    return this.offset === this.blobs.length;
  }

  /** The value of a node of the JSON, made of the same arrays and objects where they are what they say. */
  read(node: unknown, depth: number): unknown {
    if (typeof node === 'string') return node.charCodeAt(0) === TILDE ? this.readString(node) : node;
    if (typeof node !== 'object' || node === null) return node;
    if (depth > this.maxDepth) throw new Error('The body is nested too deep.');
    if (!Array.isArray(node)) return this.readFields(node, depth);
    const first: unknown = node[0];
    const isTagged =
      typeof first === 'string' &&
      first.length === 2 &&
      '=msoavc'.includes(first.charAt(1)) &&
      first.startsWith('~');
    return isTagged ? this.readTagged(first, node, depth) : this.readItems(node, 0, depth);
  }

  private readString(text: string): unknown {
    const rest = text.slice(2);
    switch (text.charAt(1)) {
      case '~':
        return text.slice(1);
      case 'd':
        return readDate(rest);
      case 'b':
        return readBigint(rest);
      case '#':
        return this.repeated[readIndex(Number(rest), this.repeated.length)];
      default:
        return readConstant(text);
    }
  }

  /** In place: JSON.parse makes `__proto__` a property like any other. */
  private readFields(node: object, depth: number): object {
    const fields = node as Record<string, unknown>;
    for (const key of Object.keys(fields)) {
      const value = this.read(fields[key], depth + 1);
      if (value !== fields[key]) fields[key] = value;
    }
    return node;
  }

  private readItems(node: unknown[], from: number, depth: number): unknown[] {
    for (let index = from; index < node.length; index++) {
      const value = this.read(node[index], depth + 1);
      if (value !== node[index]) node[index] = value;
    }
    return node;
  }

  private readTagged(tag: string, node: unknown[], depth: number): object {
    switch (tag) {
      case '~=':
        return this.readRepeated(node, depth);
      case '~m':
        return readMap(this.readItems(node, 1, depth));
      case '~s':
        return readSet(this.readItems(node, 1, depth));
      case '~o':
        return this.readNullPrototype(node, depth);
      case '~a':
        return this.readSparse(node, depth);
      case '~c':
        return this.readConverted(node, depth);
      default:
        return this.readBinary(node);
    }
  }

  private readRepeated(node: readonly unknown[], depth: number): object {
    const value = this.read(node[1], depth + 1);
    if (node.length !== 2 || typeof value !== 'object' || value === null) throw malformed('repeated object');
    this.repeated.push(value);
    return value;
  }

  private readNullPrototype(node: readonly unknown[], depth: number): object {
    const fields = node[1];
    if (node.length !== 2 || typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
      throw malformed('object without a prototype');
    }
    return shallowNullPrototypeCopy(this.readFields(fields, depth + 1));
  }

  private readSparse(node: readonly unknown[], depth: number): object {
    const length = readIndex(node[1], 2 ** 32);
    if (node.length % 2 !== 0) throw malformed('array with holes');
    const array = holes(length);
    for (let at = 2; at < node.length; at += 2)
      array[readIndex(node[at], length)] = this.read(node[at + 1], depth + 1);
    return array;
  }

  private readConverted(node: readonly unknown[], depth: number): object {
    const name = this.read(node[1], depth + 1);
    if (node.length !== 3 || typeof name !== 'string') throw malformed('converted instance');
    return this.convert(name, this.read(node[2], depth + 1));
  }

  private readBinary(node: readonly unknown[]): object {
    const [, name, length] = node;
    const end = this.offset + readIndex(length, this.blobs.length - this.offset + 1);
    const value =
      typeof name === 'string' ? binaryFrom(name, this.blobs.subarray(this.offset, end)) : undefined;
    if (node.length !== 3 || value === undefined) throw malformed('piece of binary data');
    this.offset = end;
    return value;
  }
}

function readConstant(text: string): undefined | number {
  switch (text) {
    case '~u':
      return undefined;
    case '~n':
      return Number.NaN;
    case '~i':
      return Number.POSITIVE_INFINITY;
    case '~j':
      return Number.NEGATIVE_INFINITY;
    case '~z':
      return -0;
    default:
      throw malformed('constant');
  }
}

function readDate(text: string): Date {
  const ms = Number(text);
  const isTime = Number.isInteger(ms) ? Math.abs(ms) <= MAX_DATE : text === 'NaN';
  if (!isTime || String(ms) !== text) throw malformed('Date');
  return new Date(ms);
}

function readBigint(text: string): bigint {
  if (!BIGINT.test(text)) throw malformed('bigint');
  return text.startsWith('-') ? -BigInt(`0x${text.slice(1)}`) : BigInt(`0x${text}`);
}

function readMap(node: readonly unknown[]): Map<unknown, unknown> {
  const map = new Map<unknown, unknown>();
  for (let at = 1; at < node.length; at += 2) map.set(node[at], node[at + 1]);
  if (2 * map.size + 1 !== node.length) throw malformed('Map');
  return map;
}

function readSet(node: readonly unknown[]): Set<unknown> {
  const set = new Set(node.slice(1));
  if (set.size + 1 !== node.length) throw malformed('Set');
  return set;
}

/** A whole number below a bound. */
function readIndex(value: unknown, bound: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= bound)
    throw malformed('number');
  return value;
}

function malformed(what: string): Error {
  return new Error(`The body has a malformed ${what}.`);
}
