/** Text for a message: the kind of thing, and its value only where that is harmless and short. */
export function describe(value: unknown): string {
  if (typeof value === 'number' || value === null || value === undefined) return String(value);
  if (typeof value === 'string') return `'${value.length > 40 ? `${value.slice(0, 40)}…` : value}'`;
  return `A value of type ${typeof value}`;
}

/** Why a driver failed, as ` (ECONNREFUSED)`, or nothing. */
export function inBrackets(cause: unknown): string {
  const reason = reasonOf(cause);
  return reason === undefined ? '' : ` (${reason})`;
}

/**
 * Why a driver failed, in a word: its code (`ECONNREFUSED`), the word that a server's answer begins with (`OOM`), or the
 * name of its error. Never its text, in which values may stand.
 */
function reasonOf(cause: unknown): string | undefined {
  if (typeof cause !== 'object' || cause === null) return undefined;
  const { code, message, name } = cause as { code?: unknown; message?: unknown; name?: unknown };
  if (typeof code === 'string' && /^\w{3,40}$/.test(code)) return code;
  const word = typeof message === 'string' ? /^([A-Z]{3,20}) /.exec(message)?.[1] : undefined;
  // Many a driver gives its classes names, and their instances none.
  const kinds = [word, name, (cause.constructor as { name?: unknown } | undefined)?.name];
  return kinds.find(
    (kind): kind is string =>
      typeof kind === 'string' && /^\w{3,40}$/.test(kind) && !['Error', 'Object'].includes(kind),
  );
}
