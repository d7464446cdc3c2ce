import { once } from 'node:events';
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Visited {
  readonly status: number;
  readonly text: string;
  /** Whether a stored page was served. */
  readonly isHit: boolean;
}

/**
 * A request with its path exactly so, to a host of one name whatever the port is: applications that share a cache share
 * pages by that name.
 */
export async function visit(
  url: string,
  path: string,
  { method = 'GET', ...headers }: OutgoingHttpHeaders & { method?: string } = {},
): Promise<Visited> {
  const { hostname, port } = new URL(url);
  const sent = request({
    hostname,
    port,
    path,
    method,
    agent: false,
    headers: { host: 'shop.example', ...headers },
  });
  sent.end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return {
    status: response.statusCode ?? 0,
    text: await text(response),
    isHit: response.headers.age !== undefined,
  };
}

/** The page once it is stored, which is after its answer has left. */
export async function visitStored(
  url: string,
  path: string,
  headers: OutgoingHttpHeaders = {},
): Promise<string> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline;) {
    const visited = await visit(url, path, headers);
    if (visited.isHit) return visited.text;
  }
  throw new Error(`${path} is not stored within 10 s`);
}
