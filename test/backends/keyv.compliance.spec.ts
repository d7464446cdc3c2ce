import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import KeyvRedis, { createKeyv } from '@keyv/redis';
import { Keyv } from 'keyv';
import { describeBackend } from 'nestjs-caching/testing';
import { KeyvBackend } from '../../libs/caching/src/backends/keyv.backend.js';
import type { KeyvStore } from '../../libs/caching/src/backends/keyv/keyv-store.js';
import { completeBackend } from '../../libs/caching/src/cache/complete-backend.js';
import { systemClock } from '../../libs/caching/src/clock.js';
import { describeService } from '../support/services.js';
import { connectPlain, type PlainClient } from './redis-servers.js';

const runner = { describe, it, expect, beforeEach, afterEach };

const open = (store: KeyvStore) => new KeyvBackend({ store, clock: systemClock });

/** Answers at once and gives the stored envelope itself, as some adapters do. */
class ParsedStore {
  readonly #kept = new Map<string, string>();

  get(key: string): unknown {
    const stored = this.#kept.get(key);
    return stored === undefined ? null : (JSON.parse(stored) as unknown);
  }

  set(key: string, stored: string): void {
    this.#kept.set(key, stored);
  }

  delete(key: string): boolean {
    return this.#kept.delete(key);
  }
}

describeBackend('keyv, a Map', { create: () => ({ backend: open(new Map()) }), runner });

describeBackend('keyv, an instance over a Map', {
  create: () => ({ backend: open(new Keyv({ namespace: 'app' })) }),
  runner,
});

describeBackend('keyv, a Map, with the fallbacks', {
  create: () => ({ backend: completeBackend(open(new Map())) }),
  runner,
});

describeBackend('keyv, a store that parses by itself', {
  create: () => {
    const store = new ParsedStore();
    return { backend: open(store), other: open(store) };
  },
  runner,
});

describeService('redis', (service) => {
  let plain: PlainClient;
  const adapters: KeyvRedis<unknown>[] = [];

  beforeAll(async () => {
    plain = await connectPlain(service().url);
  });
  beforeEach(async () => {
    await plain.flushAll();
  });
  afterAll(() => {
    plain.destroy();
  });

  const connect = (namespace?: string): KeyvRedis<unknown> => {
    const adapter = new KeyvRedis<unknown>(service().url, namespace === undefined ? {} : { namespace });
    adapters.push(adapter);
    return adapter;
  };
  const destroy = async () => {
    await Promise.all(adapters.splice(0).map((adapter) => adapter.disconnect(true)));
  };

  describeBackend('keyv, KeyvRedis as a store', {
    create: () => ({ backend: open(connect()), other: open(connect()) }),
    destroy,
    runner,
  });

  describeBackend('keyv, KeyvRedis in an instance', {
    create: () => ({ backend: open(new Keyv(connect())), other: open(new Keyv(connect())) }),
    destroy,
    runner,
  });

  describeBackend('keyv, createKeyv of KeyvRedis, with the fallbacks', {
    create: () => {
      const make = () => {
        const keyv = createKeyv(service().url, { namespace: 'app*' });
        adapters.push(keyv.store as KeyvRedis<unknown>);
        return completeBackend(open(keyv));
      };
      return { backend: make(), other: make() };
    },
    destroy,
    runner,
  });
});
