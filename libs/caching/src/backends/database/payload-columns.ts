import type { Payload } from '../cache-backend.js';
import type { Row } from './dialect.js';
import type { Binding } from './knex-instance.js';
import type { ValueColumn } from './statements.js';

/** Where a payload is compared. */
export function columnOf(payload: Payload): ValueColumn {
  return typeof payload === 'number' ? 'number' : 'payload';
}

/** A payload as a value of its column. */
export function bindValue(payload: Payload): Binding {
  if (typeof payload === 'number') return payload;
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
}

/** The columns `payload` and `number`, of which one is null. */
export function bindPayload(payload: Payload): [Binding, Binding] {
  return typeof payload === 'number' ? [null, payload] : [bindValue(payload), null];
}

/** What a row holds; a row that another program wrote, with neither, is a miss. */
export function payloadOf({ payload, number }: Row): Payload | undefined {
  if (number !== null) return Number.isSafeInteger(Number(number)) ? Number(number) : undefined;
  if (payload === null || typeof payload !== 'object') return undefined;
  return ArrayBuffer.isView(payload) ? (payload as Uint8Array) : new Uint8Array(payload as ArrayBuffer);
}
