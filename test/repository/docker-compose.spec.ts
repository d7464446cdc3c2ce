import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { SERVICE_NAMES } from '../../scripts/services/index.mjs';

interface ComposeService {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck: {
    readonly test: readonly string[];
    readonly interval: string;
    readonly timeout: string;
    readonly retries: number;
  };
}

const text = readFileSync(new URL('../../docker-compose.yml', import.meta.url), 'utf8');
const { services } = parse(text) as { readonly services: Readonly<Record<string, ComposeService>> };

/** The variables of a text, each with its default. */
const variablesOf = (part: string): Record<string, string> =>
  Object.fromEntries(
    [...part.matchAll(/\$\{(\w+):-([^}]*)\}/g)].map(([, name, fallback]) => [name, fallback]),
  );

describe('docker-compose.yml', () => {
  it('has a look inside Redis, and every server that tests look for', () => {
    expect(Object.keys(services).sort()).toEqual([...SERVICE_NAMES, 'redis-insight'].sort());
  });

  it.each(Object.entries(services))('pins %s, and knows when it is healthy', (_name, service) => {
    expect(service.image).toMatch(/^[\w./-]+:\d+\.\d+(\.\d+)?(-alpine)?$/);
    const { test, interval, timeout, retries } = service.healthcheck;
    expect(test[0]).toMatch(/^CMD(-SHELL)?$/);
    expect(test.length).toBeGreaterThan(1);
    expect([interval, timeout]).toEqual([expect.stringMatching(/^\d+s$/), expect.stringMatching(/^\d+s$/)]);
    expect(retries).toBeGreaterThan(1);
  });

  it.each(Object.entries(services))(
    'opens %s to this machine only, at a port of the environment',
    (name, { ports }) => {
      expect(ports).toHaveLength(1);
      const [port = ''] = ports;
      const inside = /:(\d+)$/.exec(port)?.[1];
      expect(variablesOf(port)).toEqual({
        BIND_ADDRESS: '127.0.0.1',
        [`${variable(name)}_PORT`]: inside,
      });
    },
  );

  it('keeps the data of each in a folder of the environment, by default one that git ignores', () => {
    const kept = Object.entries(services).filter(([, { volumes }]) => volumes !== undefined);
    expect(kept.map(([name]) => name)).toEqual(['redis', 'redis-insight', 'postgres', 'mariadb']);
    for (const [name, { volumes }] of kept) {
      expect(volumes).toEqual([expect.stringMatching(/^\$\{\w+:-[^}]+\}:\/[\w/]+$/)]);
      expect(variablesOf(String(volumes))).toEqual({ [`${variable(name)}_DATA`]: `./data/${name}` });
    }
    const ignored = readFileSync(new URL('../../.gitignore', import.meta.url), 'utf8').split('\n');
    expect(ignored).toContain('data/');
  });

  it('has Redis write each change to disk, and Insight find it', () => {
    const { redis, 'redis-insight': insight } = services;
    expect(redis?.command?.join(' ')).toContain('--appendonly yes');
    expect(redis?.volumes).toEqual([expect.stringMatching(/:\/data$/)]);
    expect(insight?.environment).toMatchObject({ RI_REDIS_HOST: 'redis', RI_REDIS_PORT: '6379' });
    expect(insight?.depends_on).toEqual({ redis: { condition: 'service_healthy' } });
  });
});

function variable(service: string): string {
  return service.toUpperCase().replaceAll('-', '_');
}
