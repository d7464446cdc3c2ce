import type { Payload } from '../backends/cache-backend.js';
import type { Bodies, Body } from './bodies.js';
import type { Counters } from './counters.js';
import type { Entry, Guard } from './entry.js';
import { decodeFrame, encodeFrame } from './frame.js';
import { type KeyKind, MAX_KEY_BYTES } from './keys.js';

/** How a layer turns what it keeps into bytes and back. */
export interface EntryCodec<T> {
  readonly kind: KeyKind;
  encode(value: T): { readonly codec: number; readonly body: Uint8Array };
  /** @throws whatever it likes for a body that it cannot read: that is a miss */
  decode(codec: number, body: Uint8Array): T;
}

/** What a key holds for a reader: an entry of a layer, or a bare integer. */
export type Found<T> = Entry<T> | number | undefined;

export function contentOf<T>(found: Found<T>): T | number | undefined {
  return typeof found === 'object' ? found.value : found;
}

export function entryOf<T>(found: Found<T>): Entry<T> | undefined {
  return typeof found === 'object' ? found : undefined;
}

/** The codec of a lease without a value. */
const NO_BODY = { codec: 0, body: new Uint8Array(0) };

/** Entries as a backend keeps them: as they are in memory, as frames elsewhere. */
export class Payloads {
  constructor(
    private readonly holdsObjects: boolean,
    private readonly counters: Counters,
    private readonly bodies: Bodies,
  ) {}

  /**
   * The payload that keeps an entry: the entry itself where the backend holds objects, else a frame.
   *
   * @throws ValueTooLargeError
   */
  of<T>(codec: EntryCodec<T>, entry: Entry<T>): Payload {
    if (this.holdsObjects) {
      this.bodies.assertSize(entry.size);
      return entry as unknown as Payload;
    }
    const { createdAt, loadMs, fullKey, guard } = entry;
    const content = guard?.isMarker === true ? NO_BODY : this.bodies.pack(codec.encode(entry.value));
    return encodeFrame({ ...content, createdAt, loadMs, fullKey, guard });
  }

  /** The payload of a lease alone. */
  marker(fullKey: string, createdAt: number, guard: Guard): Payload {
    if (this.holdsObjects) {
      return {
        value: undefined,
        size: 0,
        createdAt,
        loadMs: 0,
        fullKey,
        guard,
      } satisfies Entry<undefined> as unknown as Payload;
    }
    return encodeFrame({ ...NO_BODY, createdAt, loadMs: 0, fullKey, guard });
  }

  /** What a payload says; `undefined` for nothing and for what is not ours, which is counted. */
  open<T>(codec: EntryCodec<T>, payload: Payload | undefined, fullKey: string): Found<T> {
    if (payload === undefined || typeof payload === 'number') return payload;
    if (!(payload instanceof Uint8Array)) {
      const entry = payload as unknown as Entry<T>;
      return fullKey.length <= MAX_KEY_BYTES || entry.fullKey === fullKey ? entry : undefined;
    }
    return this.openFrame(codec, payload, fullKey);
  }

  private openFrame<T>(codec: EntryCodec<T>, payload: Uint8Array, fullKey: string): Found<T> {
    const frame = decodeFrame(payload, fullKey);
    if (frame !== undefined) {
      const { createdAt, loadMs, guard } = frame;
      try {
        const isMarker = guard?.isMarker === true;
        const value = isMarker ? (undefined as T) : this.decode(codec, frame);
        return { value, size: payload.length, createdAt, loadMs, fullKey, guard };
      } catch {
        // Counted below: written by a later version, or by somebody else.
      }
    }
    this.counters.corrupt += 1;
    return undefined;
  }

  private decode<T>(codec: EntryCodec<T>, frame: Body): T {
    const { codec: id, body } = this.bodies.unpack(frame);
    return codec.decode(id, body);
  }
}
