/** What the environment says. */
export interface Settings {
  readonly port: number;
  readonly platform: 'express' | 'fastify';
  /** Where the cache lives: the scheme chooses the backend. */
  readonly cacheUrl: string;
  readonly upstreamUrl: string | undefined;
  /** Milliseconds that the built-in slow API and the store of products take. */
  readonly upstreamDelay: number;
  /** Milliseconds for which the weather stays fresh. */
  readonly weatherTtl: number;
  /** How many calls a minute the weather API allows. */
  readonly weatherLimit: number;
}

export const SETTINGS = Symbol('settings');

/** @throws Error naming the variable that cannot be used */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const { PLATFORM = 'express', CACHE_URL, REDIS_URL, UPSTREAM_URL } = environment;
  if (PLATFORM !== 'express' && PLATFORM !== 'fastify') {
    throw new Error(`PLATFORM is "${PLATFORM}"; use express or fastify.`);
  }
  return {
    port: wholeNumber('PORT', environment['PORT'], 3000),
    platform: PLATFORM,
    cacheUrl: CACHE_URL ?? REDIS_URL ?? 'memory:',
    upstreamUrl: UPSTREAM_URL,
    upstreamDelay: wholeNumber('UPSTREAM_DELAY', environment['UPSTREAM_DELAY'], 3000),
    weatherTtl: wholeNumber('WEATHER_TTL', environment['WEATHER_TTL'], 5000),
    weatherLimit: wholeNumber('WEATHER_LIMIT', environment['WEATHER_LIMIT'], 3),
  };
}

function wholeNumber(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined || text === '') return fallback;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw new Error(`${name} is "${text}"; use a whole number.`);
  return number;
}
