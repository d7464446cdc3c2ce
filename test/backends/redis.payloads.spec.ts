import { describe, expect, it } from '@jest/globals';
import { NotANumberError } from '../../libs/caching/src/errors.js';
import { describeOnRedis } from './redis-servers.js';

function text(payload: unknown): string {
  return Buffer.from(payload as Uint8Array).toString('latin1');
}

describeOnRedis((server) => {
  describe('payloads', () => {
    it('keep integers as digits that other programs can count with', async () => {
      const backend = server.create();
      await backend.set('app:n', -41, null);
      expect(await server.plain.get('app:n')).toBe('-41');
      await server.plain.incrBy('app:n', 83);
      expect(await backend.get('app:n')).toBe(42);
    });

    it.each(['42', '-1', '0', '-', '\x00', '\x0042', '007', '9007199254740993', '1e3', ''])(
      'give bytes back as bytes: %j',
      async (content) => {
        const backend = server.create();
        const payload = Buffer.from(content, 'latin1');
        await backend.set('app:b', payload, null);
        const [read, many] = [await backend.get('app:b'), (await backend.getMany(['app:b']))[0]];
        expect(typeof read).toBe('object');
        expect(text(read)).toBe(content);
        expect(text(many)).toBe(content);
        await expect(backend.increment('app:b', 1, 0, null)).rejects.toBeInstanceOf(NotANumberError);
        expect(await backend.compareAndSet('app:b', 42, 1, null)).toBe(false);
        expect(await backend.compareAndSet('app:b', payload, 1, null)).toBe(true);
      },
    );

    it('give a view of a larger buffer back as it was', async () => {
      const backend = server.create();
      const memory = new Uint8Array(100).map((_, n) => n);
      await backend.set('app:view', memory.subarray(40, 60), null);
      expect([...((await backend.get('app:view')) as Uint8Array)]).toEqual([...memory.subarray(40, 60)]);
    });

    it.each([
      '007',
      '-0',
      '+1',
      ' 1',
      '1 ',
      '1.0',
      '9007199254740992',
      '-9007199254740992',
      '99999999999999999999',
    ])('take digits of others that we would not write for bytes: %j', async (content) => {
      const backend = server.create();
      await server.plain.set('app:foreign', content);
      expect(text(await backend.get('app:foreign'))).toBe(content);
      await expect(backend.increment('app:foreign', 1, 0, null)).rejects.toBeInstanceOf(NotANumberError);
      expect(await server.plain.get('app:foreign')).toBe(content);
    });

    it('meet another type of Redis with an error, or as nothing where many are read', async () => {
      const backend = server.create();
      await server.plain.lPush('app:list', 'x');
      await backend.set('app:1', 1, null);
      await expect(backend.get('app:list')).rejects.toThrow(/^WRONGTYPE/);
      expect(await backend.getMany(['app:1', 'app:list'])).toEqual([1, undefined]);
      await expect(backend.increment('app:list', 1, 0, null)).rejects.toBeInstanceOf(NotANumberError);
      expect(await backend.compareAndSet('app:list', 1, 2, null)).toBe(false);
      expect(await backend.compareAndDelete('app:list', 1)).toBe(false);
      await backend.set('app:list', 2, null);
      expect(await backend.get('app:list')).toBe(2);
    });
  });
});
