import { randomBytes, randomUUID } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { type CacheOptions, ValueTooLargeError } from 'nestjs-caching';
import { Bodies } from '../../libs/caching/src/cache/bodies.js';
import { CodecId } from '../../libs/caching/src/cache/codec.js';
import { decodeFrame, encodeFrame, parseFrame } from '../../libs/caching/src/cache/frame.js';
import { openCache } from '../support/caches.js';
import { redisAt } from '../support/scenarios.js';
import { describeService } from '../support/services.js';

const MIB = 1024 * 1024;
const text = (length: number) => ({ codec: CodecId.text, body: Buffer.from('abc '.repeat(length / 4)) });

describe('bodies', () => {
  const bodies = new Bodies({ maxValueBytes: MIB, compressAbove: 1000 });

  it('are compressed from the threshold on, if that makes them smaller, and come back as they were', () => {
    const small = text(996);
    expect(bodies.pack(small)).toBe(small);
    const large = text(1000);
    const packed = bodies.pack(large);
    expect(packed.body.length).toBeLessThan(100);
    expect(packed.codec).not.toBe(large.codec);
    expect(bodies.unpack(packed)).toEqual(large);
    const noise = { codec: CodecId.bytes, body: randomBytes(5000) };
    expect(bodies.pack(noise)).toBe(noise);
    const off = new Bodies({ maxValueBytes: MIB, compressAbove: null });
    expect(off.pack(large)).toBe(large);
    expect(off.unpack(packed)).toEqual(large);
  });

  it('are refused over the limit, before they are compressed and before they are inflated', () => {
    expect(() => bodies.pack(text(MIB))).not.toThrow();
    expect(() => bodies.pack(text(MIB + 4))).toThrow(ValueTooLargeError);
    const bomb = { codec: CodecId.text | 0x80, body: deflateRawSync(Buffer.alloc(64 * MIB)) };
    const before = process.memoryUsage().arrayBuffers;
    expect(() => bodies.unpack(bomb)).toThrow();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * MIB);
    expect(() => bodies.unpack({ codec: CodecId.text | 0x80, body: randomBytes(50) })).toThrow();
  });
});

describeService('redis', (service) => {
  async function open(options: Partial<CacheOptions> = {}) {
    const keyPrefix = randomUUID();
    const on = { url: service().url, keyPrefix, readDeadline: '10m', writeDeadline: '10m' } as const;
    const cache = await openCache({ ...on, ...options } as CacheOptions);
    const backend = redisAt(service().url);
    const stored = async (): Promise<[string, Buffer]> => {
      for await (const key of backend.keys?.(`${keyPrefix}:default:`) ?? []) {
        if (!key.includes('@')) return [key, Buffer.from((await backend.get(key)) as unknown as Uint8Array)];
      }
      throw new Error('Nothing is stored.');
    };
    const close = async () => void (await Promise.all([cache.close(), backend.close()]));
    return { cache, backend, stored, close, on };
  }

  it('large values take less room in the server, and a cache with other options reads them', async () => {
    const { cache, stored, close, on } = await open();
    const value = Array.from({ length: 2000 }, (_, id) => ({ id, name: `product ${id}`, tags: ['a', 'b'] }));
    await cache.set('k', value);
    const [, payload] = await stored();
    expect(payload.length).toBeLessThan(JSON.stringify(value).length / 3);
    const other = await openCache({ ...on, compressAbove: null });
    expect(await other.get('k')).toEqual(value);
    await other.set('k', value);
    expect((await stored())[1].length).toBeGreaterThan(JSON.stringify(value).length);
    expect(await cache.get('k')).toEqual(value);
    await other.close();
    await close();
  });

  it('a payload that would inflate to more than a value may have is a miss, and counted', async () => {
    const { cache, backend, stored, close } = await open({ maxValueBytes: MIB });
    await cache.set('k', 'x');
    const [key, payload] = await stored();
    const frame = parseFrame(payload);
    if (frame === undefined) throw new Error('That is no frame.');
    const body = deflateRawSync(Buffer.alloc(MIB + 1, 'x'));
    const bomb = encodeFrame({ ...frame, codec: CodecId.text | 0x80, body });
    expect(decodeFrame(bomb, frame.fullKey)).toBeDefined();
    await backend.set(key, bomb, null);
    expect(await cache.get('k')).toBeUndefined();
    expect(cache.statistics.corrupt).toBe(1);
    await close();
  });
});
