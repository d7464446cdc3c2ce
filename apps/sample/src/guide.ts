import type { Settings } from './settings.js';

/** What to try, printed at the start: each route with its lesson. */
export function guide({
  port,
  platform,
  cacheUrl,
  upstreamDelay,
  weatherTtl,
  weatherLimit,
}: Settings): string {
  const base = `http://localhost:${port}`;
  const backend = cacheUrl.slice(0, cacheUrl.indexOf(':'));
  const timed = `curl -w ' %{time_total}s\\n'`;
  return `
nestjs-caching sample on ${platform}, cache in ${backend}; the upstream takes ${upstreamDelay} ms

Slow once, then instant
  ${timed} ${base}/slow-api             slow every time
  ${timed} ${base}/slow-api/page        @CachePage: slow once, then instant
  ${timed} ${base}/slow-api/manual      CacheService get and set: slow once, then instant
  ${timed} ${base}/slow-api/get-or-set  the same in one call
  curl -X DELETE ${base}/slow-api/manual                    204; the next GET is slow again
  ${timed} ${base}/slow-class/first     @CachePage on the class; /slow-class/second as well

A list with filters, and what changes it
  ${timed} '${base}/products?category=Kitchen&sort=price&page=1'
      each combination is a page; their order and utm_source=mail make no other one
  curl ${base}/products -H 'content-type: application/json' -d '{"name":"Teapot","category":"Kitchen","price":25,"sold":900}'
      a success invalidates every page of /products, and by a tag /products/categories; a 400 does not

A page that cannot be cached, of parts that can
  ${base}/shop?user=Ada           in a browser: the POST above renders what lists products anew

A page for each user
  ${timed} ${base}/me -H 'authorization: Bearer alice-token'
      bob-token gets his own page, and no token a 401, also when pages are stored

An API that may be asked ${weatherLimit} times a minute
  curl -i ${base}/weather/live    asks it each time: 503 when it refuses
  curl -i ${base}/weather         asks it once in ${weatherTtl} ms; when it refuses, the last answer is served
      ttl=-… in Cache-Status: such an answer, past its life

Real-time
  curl -i ${base}/ticker          @NeverCache: new each time, and no-store for browsers and CDNs

Ctrl-C stops it.
`;
}
