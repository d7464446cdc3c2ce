/** Where a request went, as the application sees it. */
export interface RequestPlace {
  readonly scheme: string;
  readonly host: string;
  /** Path and query. */
  readonly target: string;
}

/** Longer ones name no page. */
const MAX_LENGTH = 8192;

/**
 * The targets on the request's own origin that a response names in `Location` and `Content-Location`: a change may have
 * changed them as well (RFC 9111 §4.4). Those of other origins are nobody's to invalidate.
 */
export function namedLocations(
  { scheme, host, target }: RequestPlace,
  header: (name: string) => unknown,
): readonly string[] {
  return [header('location'), header('content-location')].flatMap((value) => {
    if (typeof value !== 'string' || value === '' || value.length > MAX_LENGTH) return [];
    const origin = `${scheme}://${host}`;
    if (!URL.canParse(origin) || !URL.canParse(value, origin + target)) return [];
    const named = new URL(value, origin + target);
    return named.origin === new URL(origin).origin ? [named.pathname] : [];
  });
}
