import { createClient } from '@redis/client';

/** Redis for bentocache over the client that everybody else here uses; its own driver needs ioredis. */
export async function redisDriver(url) {
  const client = createClient({ url });
  client.on('error', () => undefined);
  await client.connect();
  return { options: {}, factory: () => new RedisDriver(client, 'bento') };
}

/** What its own driver does, line by line, as far as it is called here. */
class RedisDriver {
  type = 'l2';

  constructor(client, prefix) {
    this.client = client;
    this.prefix = prefix;
  }

  namespace(name) {
    return new RedisDriver(this.client, `${this.prefix}:${name}`);
  }

  async get(key) {
    return (await this.client.get(`${this.prefix}:${key}`)) ?? undefined;
  }

  async set(key, value, ttl) {
    const life = ttl ? { PX: ttl } : {};
    return (await this.client.set(`${this.prefix}:${key}`, value, life)) === 'OK';
  }

  async delete(key) {
    return (await this.client.unlink(`${this.prefix}:${key}`)) > 0;
  }
}
