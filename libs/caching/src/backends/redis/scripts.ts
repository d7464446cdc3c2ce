import { createHash } from 'node:crypto';
import { isErrorReply, type RedisArgument, type RedisLink } from './link.js';

/** A Lua script on one key; within it no key expires and nobody else writes. */
export class Script {
  readonly #text: string;
  readonly #sha: string;

  constructor(text: string) {
    this.#text = text;
    this.#sha = createHash('sha1').update(text).digest('hex');
  }

  /** Runs by digest; a server that does not know the script, after a restart for instance, gets the whole text. */
  async run(link: RedisLink, key: string, args: readonly RedisArgument[]): Promise<unknown> {
    try {
      return await link.send(key, ['EVALSHA', this.#sha, '1', key, ...args]);
    } catch (error) {
      if (!isErrorReply(error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return link.send(key, ['EVAL', this.#text, '1', key, ...args]);
    }
  }
}

/**
 * Arguments: delta; what an absent key becomes, `''` for nothing; its life, `''` for ever. Answers the digits of the
 * new integer, nil, or the reason of a refusal. Lua's numbers are doubles: they tell whether a sum is in the safe range,
 * INCRBY adds. Digits, because the client rounds integers in replies near the ends of the range.
 */
export const INCREMENT = new Script(`
local limit = 9007199254740991
local value = redis.pcall('GET', KEYS[1])
if not value then
  if ARGV[2] == '' then return false end
  if math.abs(tonumber(ARGV[2])) > limit then return 'RANGE' end
  if ARGV[3] == '' then
    redis.call('SET', KEYS[1], ARGV[2])
  else
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  end
  return ARGV[2]
end
if type(value) ~= 'string' or #value > 17 or (value ~= '0' and not string.find(value, '^%-?[1-9]%d*$')) then
  return 'TYPE'
end
local number = tonumber(value)
if math.abs(number) > limit then return 'TYPE' end
if math.abs(number + tonumber(ARGV[1])) > limit then return 'RANGE' end
redis.call('INCRBY', KEYS[1], ARGV[1])
return redis.call('GET', KEYS[1])
`);

/** Takes the life away; answers whether the key is there. PERSIST alone does not tell a lasting key from none. */
export const PERSIST = new Script(`
redis.call('PERSIST', KEYS[1])
return redis.call('EXISTS', KEYS[1])
`);

/** Arguments: what must be there, byte for byte; what replaces it; its life, `''` for ever. */
export const COMPARE_AND_SET = new Script(`
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
`);

/** Argument: what must be there, byte for byte. */
export const COMPARE_AND_DELETE = new Script(`
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
`);
