import { EventEmitter, once } from 'node:events';
import KeyvRedis from '@keyv/redis';
import { describe, expect, it } from '@jest/globals';
import { Keyv } from 'keyv';
import { InvalidOptionsError, type KeyvCacheOptions } from 'nestjs-caching';
import { FakeClock } from 'nestjs-caching/testing';
import { KeyvBackend } from '../../libs/caching/src/backends/keyv.backend.js';
import type { KeyvAdapter, KeyvStore } from '../../libs/caching/src/backends/keyv/keyv-store.js';
import { openCache } from '../support/caches.js';
import { describeService } from '../support/services.js';
import { connectPlain } from './redis-servers.js';

const clock = new FakeClock();
const open = (store: KeyvStore) => new KeyvBackend({ store, clock });

async function listed(keys: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const key of keys) found.push(key);
  return found.sort();
}

/** A store that is no Map: what it is told to do, over a Map. */
function storeOver(map: Map<string, unknown>, changes: Partial<KeyvAdapter> = {}): KeyvAdapter {
  return {
    get: (key) => Promise.resolve(map.get(key)),
    set: (key, stored) => Promise.resolve(void map.set(key, stored)),
    delete: (key) => Promise.resolve(map.delete(key)),
    ...changes,
  };
}

describe('what is stored', () => {
  it('is an entry of Keyv, under the namespace of the instance', async () => {
    const map = new Map<string, string>();
    const keyv = new Keyv({ store: map, namespace: 'app' });
    await open(keyv).set('k', 42, 3_600_000);
    await open(keyv).set('bytes', Buffer.from([0, 255]), null);
    expect([...map.keys()]).toEqual(['app:k', 'app:bytes']);
    expect(JSON.parse(map.get('app:k')!)).toEqual({ value: 'i:42', expires: clock.now() + 3_600_000 });
    expect(await keyv.get('bytes')).toBe('b:AP8=');
  });

  it('keeps the key of a namespace and one that begins like the namespace apart', async () => {
    const backend = open(new Keyv());
    await backend.set('k', 1, null);
    await backend.set('keyv:k', 2, null);
    expect([await backend.get('k'), await backend.get('keyv:k')]).toEqual([1, 2]);
  });

  it('has no namespace where the instance puts none before its keys', async () => {
    const map = new Map<string, unknown>();
    await open(new Keyv({ store: map, namespace: 'app', useKeyPrefix: false })).set('k', 1, null);
    expect([...map.keys()]).toEqual(['k']);
  });

  it('lasts when it is to last, whatever life the instance gives by itself', async () => {
    const lives: unknown[] = [];
    const set = (_key: string, _stored: unknown, ttlMs?: number) => void lives.push(ttlMs);
    const store = { ...storeOver(new Map(), { set }), clear: () => undefined };
    const backend = open(new Keyv({ store, ttl: 10 }));
    await backend.set('k', 1, null);
    await backend.set('k', 1, 1);
    expect(lives).toEqual([undefined, 1]);
  });

  it('goes through the serializer of the instance', async () => {
    const map = new Map<string, string>();
    const secret = (text: string) => Buffer.from(text).reverse().toString('latin1');
    const keyv = new Keyv({
      store: map,
      serialize: (data) => secret(JSON.stringify(data)),
      deserialize: (text) => JSON.parse(secret(text)) as never,
    });
    await open(keyv).set('k', 42, null);
    expect(map.get('keyv:k')).toBe('}"24:i":"eulav"{');
    expect(await open(keyv).get('k')).toBe(42);
  });

  it('goes through the compression of the instance', async () => {
    const map = new Map<string, string>();
    const compression = {
      compress: (value: string) => Promise.resolve(`(${value})`),
      decompress: (value: string) => Promise.resolve(value.slice(1, -1)),
    };
    const backend = open(new Keyv({ store: map, compression }));
    await backend.set('k', 42, null);
    expect(map.get('keyv:k')).toBe('{"value":"(i:42)"}');
    expect(await backend.get('k')).toBe(42);
  });

  it.each([
    '',
    'not JSON',
    '5',
    'null',
    '[]',
    '{}',
    '{"value":5}',
    '{"value":"5"}',
    '{"value":"i:"}',
    '{"value":"i:007"}',
    '{"value":"i:-0"}',
    '{"value":"i:9007199254740993"}',
    '{"value":"b:A%%="}',
    '{"value":"b:AP8',
    '{"value":"i:5","expires":"soon"}',
    7,
    { value: { type: 'Buffer', data: [] } },
  ])('is absent if it is another program’s: %j', async (foreign) => {
    const map = new Map<string, unknown>([['keyv:k', foreign]]);
    const backend = open(new Keyv({ store: map }));
    expect(await backend.get('k')).toBeUndefined();
    expect(await backend.ttl('k')).toBeUndefined();
    expect(await listed(backend.keys!(''))).toEqual([]);
    expect(await backend.delete('k')).toBe(false);
    expect(map.size).toBe(0);
  });
});

describe('an entry', () => {
  it('ends at its moment, in a store that keeps it longer', async () => {
    const map = new Map<string, unknown>();
    const backend = open(storeOver(map));
    await backend.set('k', 1, 100);
    clock.advance(99);
    expect([await backend.get('k'), await backend.ttl('k')]).toEqual([1, 1]);
    clock.advance(1);
    expect([await backend.get('k'), await backend.ttl('k')]).toEqual([undefined, undefined]);
    expect(map.size).toBe(1);
    expect(await backend.delete('k')).toBe(false);
    expect(map.size).toBe(0);
  });

  it('is left alone by a read that finds it expired: somebody may just be replacing it', async () => {
    const deleted: string[] = [];
    const backend = open(storeOver(new Map(), { delete: (key) => deleted.push(key) > 0 }));
    await backend.set('k', 1, 1);
    clock.advance(1);
    await backend.get('k');
    expect(deleted).toEqual([]);
  });
});

describe('a Map that others use as well', () => {
  const others = ['app2:a', 'foreign', 'app', 'ap:p'];
  const map = new Map<unknown, unknown>();
  const fill = async () => {
    map.clear();
    for (const key of others) map.set(key, '{"value":"i:1","expires":5}');
    map.set(Symbol.for('key'), 1);
    const backend = open(new Keyv({ store: map, namespace: 'app' }));
    await backend.set('a:1', 1, null);
    await backend.set('b:1', 1, 10);
    return backend;
  };

  it('keeps their keys in clear()', async () => {
    const backend = await fill();
    await backend.clear('a:');
    expect([...map.keys()]).toEqual([...others, Symbol.for('key'), 'app:b:1']);
    await backend.clear('');
    expect([...map.keys()]).toEqual([...others, Symbol.for('key')]);
  });

  it('keeps their entries in prune()', async () => {
    const backend = await fill();
    map.set('app:theirs', '{"value":"theirs","expires":5}');
    clock.advance(10);
    expect(await backend.prune!()).toBe(1);
    expect([...map.keys()]).toEqual([...others, Symbol.for('key'), 'app:a:1', 'app:theirs']);
  });

  it('keeps an entry in prune() that was replaced while it was looked at', async () => {
    const backing = new Map<string, unknown>();
    const replacement = '{"value":"i:2"}';
    const deserialize = (text: string) => {
      backing.set('keyv:k', replacement);
      return JSON.parse(text) as never;
    };
    const backend = open(new Keyv({ store: backing, deserialize }));
    await backend.set('k', 1, 1);
    clock.advance(1);
    expect(await backend.prune!()).toBe(0);
    expect(backing.get('keyv:k')).toBe(replacement);
  });

  it('is cleared in steps that let others run', async () => {
    const large = new Map<string, string>();
    for (let n = 0; n < 2_000; n++) large.set(`k${n}`, '{"value":"i:1"}');
    let turns = 0;
    const count = () => {
      turns++;
      if (large.size > 0) setImmediate(count);
    };
    setImmediate(count);
    await open(large).clear('k');
    expect(large.size).toBe(0);
    expect(turns).toBeGreaterThanOrEqual(3);
  });
});

describe('close()', () => {
  it('leaves the store to its owner: what is under way does not ask it again', async () => {
    const asked = new EventEmitter();
    const calls: string[] = [];
    const wait = (call: string) => () =>
      new Promise((_resolve, reject) => {
        calls.push(call);
        asked.emit(call, reject);
      });
    const store = storeOver(new Map(), { get: wait('get'), set: wait('set'), delete: wait('delete') });
    const backend = open(store);
    const isSet = once(asked, 'set');
    const written = backend.set('k', 1, null);
    const [fail] = (await isSet) as [(error: Error) => void];
    await backend.close();
    fail(new Error('The owner has disconnected.'));
    await expect(written).rejects.toThrow('The owner has disconnected.');
    await expect(backend.get('k')).rejects.toThrow('closed');
    expect(calls).toEqual(['set']);
  });
});

describe('a store that is no Map', () => {
  it('is never cleared', async () => {
    const map = new Map([['theirs', 'value']]);
    const clear = () => map.clear();
    const backend = open(Object.assign(storeOver(map), { clear, opts: {}, iterator: () => map.entries() }));
    await backend.set('a:1', 1, null);
    await backend.clear('a:');
    await backend.clear('');
    expect([...map.keys()]).toEqual(['theirs', 'a:1']);
    expect([backend.capabilities.lists, backend.keys]).toEqual([false, undefined]);
  });
});

describe('a failure', () => {
  const broken = new Error('The store is broken.');
  const fail = () => Promise.reject(broken);

  it('is thrown, though an instance would swallow it', async () => {
    const store = {
      ...storeOver(new Map(), { get: fail, set: fail, delete: fail, getMany: fail }),
      clear: fail,
    };
    const backend = open(new Keyv({ store, emitErrors: false }));
    await expect(backend.get('k')).rejects.toBe(broken);
    await expect(backend.set('k', 1, null)).rejects.toBe(broken);
    await expect(backend.delete('k')).rejects.toBe(broken);
    await expect(backend.ttl('k')).rejects.toBe(broken);
    await expect(backend.getMany!(['k'])).rejects.toBe(broken);
  });

  it('of a write leaves nothing of what was there before', async () => {
    const map = new Map<string, unknown>();
    await open(storeOver(map)).set('k', 1, null);
    await expect(open(storeOver(map, { set: fail })).set('k', 2, null)).rejects.toBe(broken);
    expect(map.size).toBe(0);
    await open(storeOver(map)).set('k', 1, null);
    await expect(open(storeOver(map, { set: () => false })).set('k', 2, null)).rejects.toThrow(/not taken/);
    expect(map.size).toBe(0);
  });

  it.each([undefined, [], ['a', 'b', 'c']])(
    'is an answer of getMany() that is not one for each key: %j',
    async (answer) => {
      await expect(
        open(storeOver(new Map(), { getMany: () => answer })).getMany!(['a', 'b']),
      ).rejects.toThrow(/every key/);
    },
  );

  it('that a store announces does not end the process, until the backend is closed', async () => {
    const store = Object.assign(new EventEmitter(), storeOver(new Map()));
    const backend = open(store);
    expect(store.emit('error', broken)).toBe(true);
    await backend.close();
    await backend.close();
    expect(store.listenerCount('error')).toBe(0);
  });
});

describe('a store that swallows failures unless it is told not to', () => {
  class Swallowing implements KeyvAdapter {
    throwOnErrors = false;
    get(): Promise<undefined> {
      return this.throwOnErrors ? Promise.reject(new Error('away')) : Promise.resolve(undefined);
    }
    set(): void {}
    delete(): boolean {
      return true;
    }
  }

  it('is used as one that throws, and stays as it was', async () => {
    const store = new Swallowing();
    await expect(open(store).get('k')).rejects.toThrow('away');
    expect(Object.entries(store)).toEqual([['throwOnErrors', false]]);
    expect(await store.get()).toBeUndefined();
  });

  it('is refused if it lets nobody change that', () => {
    class Private extends Swallowing {
      readonly #isThrowing = false;
      constructor() {
        super();
        Object.defineProperty(this, 'throwOnErrors', { get: () => this.#isThrowing });
      }
    }
    expect(() => open(new Private())).toThrow(/swallows its failures. Create it with throwOnErrors: true/);
  });
});

describe('what is no store of Keyv 5', () => {
  const methods = storeOver(new Map());
  const keyv6 = { ...methods, clear() {}, getRaw() {}, setRaw() {}, hooks: {}, stats: {}, store: new Map() };
  const adapter6 = { ...methods, clear() {}, capabilities: { expires: true } };

  it.each([
    ['an instance of Keyv 6', keyv6, /it is of Keyv 6.*npm install keyv@\^5\.6\.0/],
    ['a store of Keyv 6', adapter6, /it is of Keyv 6/],
    ['a store of Keyv 6 in an instance of Keyv 5', new Keyv({ store: adapter6 }), /its store is of Keyv 6/],
    ['something else', {}, /it has no get, set, delete/],
  ])('is refused: %s', async (_name, store, message) => {
    const opening = openCache({ backend: 'keyv', store } as KeyvCacheOptions);
    await expect(opening).rejects.toThrow(InvalidOptionsError);
    await expect(opening).rejects.toThrow(message);
  });

  it.each([[undefined], ['redis://host'], [5]])('is refused: %j', async (store) => {
    const opening = openCache({ backend: 'keyv', store } as unknown as KeyvCacheOptions);
    await expect(opening).rejects.toThrow(/store: give a Keyv instance or a store for one/);
  });
});

describeService(
  'redis',
  (service) => {
    it('leaves an instance and its KeyvRedis as they were, and open', async () => {
      const adapter = new KeyvRedis(service().url);
      const keyv = new Keyv(adapter, { namespace: 'app' });
      const before = [Object.entries(keyv), { ...adapter.opts }, Reflect.ownKeys(adapter)];
      const backend = open(keyv);
      await backend.set('k', 1, null);
      expect(await backend.getMany!(['k', 'absent'])).toEqual([1, undefined]);
      await backend.close();
      expect([Object.entries(keyv), { ...adapter.opts }, Reflect.ownKeys(adapter)]).toEqual(before);
      expect(await keyv.get('k')).toBe('i:1');
      await adapter.disconnect(true);
    });

    it('throws what KeyvRedis swallows', async () => {
      const adapter = new KeyvRedis(service().url);
      const plain = await connectPlain(service().url);
      await plain.lPush('list', 'element');
      expect(await adapter.get('list')).toBeUndefined();
      await expect(open(adapter).get('list')).rejects.toThrow(/WRONGTYPE/);
      await open(adapter).set('k', 1, null);
      await plain.configSet('maxmemory', '1');
      await expect(open(adapter).set('k', 2, null)).rejects.toThrow(/OOM/);
      await plain.configSet('maxmemory', '0');
      expect(await plain.exists('k')).toBe(0);
      plain.destroy();
      await adapter.disconnect(true);
    });

    it('keeps one cache whole when another on the same store is cleared', async () => {
      const adapter = new KeyvRedis<unknown>(service().url);
      const plain = await connectPlain(service().url);
      await plain.set('foreign', 'value');
      for (const store of [adapter, new Map()]) {
        const [one, other] = await Promise.all(
          ['a*b', 'aXb'].map((keyPrefix) => openCache({ backend: 'keyv', store, keyPrefix })),
        );
        for (const cache of [one!, other!]) await cache.set('k', { v: 1 });
        await one!.clear();
        expect([await one!.get('k'), await other!.get('k')]).toEqual([undefined, { v: 1 }]);
        await Promise.all([one!.close(), other!.close()]);
      }
      expect(await plain.get('foreign')).toBe('value');
      plain.destroy();
      await adapter.disconnect(true);
    });
  },
  { own: true },
);
