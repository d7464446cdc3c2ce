import type { Payload } from '../cache-backend.js';
import type { KeyvEnvelope } from './keyv-store.js';

/** A payload and its end. */
export interface Held {
  readonly payload: Payload;
  /** Milliseconds since 1970; `null` never expires. */
  readonly expiresAt: number | null;
}

const BYTES = 'b:';
const INTEGER = /^i:(0|-?[1-9]\d{0,15})$/;

/**
 * The payload as text in Keyv's own envelope: text is what every serializer, compression and store of Keyv carries
 * whole. They disagree on binary data, and some make numbers of digits.
 */
export function wrap({ payload, expiresAt }: Held): KeyvEnvelope {
  const value = typeof payload === 'number' ? `i:${payload}` : BYTES + toBase64(payload);
  return { value, expires: expiresAt ?? undefined };
}

/** What {@link wrap} was given; `undefined` for anything that it did not make. */
export function unwrap(envelope: unknown): Held | undefined {
  if (typeof envelope !== 'object' || envelope === null) return undefined;
  const { value, expires = null } = envelope as { readonly value?: unknown; readonly expires?: unknown };
  if (expires !== null && !Number.isFinite(expires)) return undefined;
  const payload = typeof value === 'string' ? toPayload(value) : undefined;
  return payload === undefined ? undefined : { payload, expiresAt: expires as number | null };
}

function toPayload(text: string): Payload | undefined {
  const digits = INTEGER.exec(text)?.[1];
  if (digits !== undefined) return Number.isSafeInteger(Number(digits)) ? Number(digits) : undefined;
  if (!text.startsWith(BYTES)) return undefined;
  const base64 = text.slice(BYTES.length);
  const bytes = Buffer.from(base64, 'base64');
  // What is no base64 is left out in decoding.
  return bytes.length === Buffer.byteLength(base64, 'base64') ? bytes : undefined;
}

function toBase64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}
