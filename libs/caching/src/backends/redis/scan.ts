import type { Send } from './link.js';

/** Keys that the server looks at in one step: a compromise between round trips and how long it is held up. */
const KEYS_PER_STEP = '1000';

/** Text in which no character means anything to MATCH. */
export function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\^-]/g, '\\$&');
}

/** The keys of one server that begin with the prefix, page by page; over several pages a key may come twice. */
export async function* scan(send: Send, prefix: string): AsyncGenerator<string[], void, undefined> {
  const match = `${escapeGlob(prefix)}*`;
  let cursor = '0';
  do {
    const reply = (await send(['SCAN', cursor, 'MATCH', match, 'COUNT', KEYS_PER_STEP])) as [
      string,
      string[],
    ];
    cursor = reply[0];
    const page = [...new Set(reply[1])].filter((key) => key.startsWith(prefix));
    if (page.length > 0) yield page;
  } while (cursor !== '0');
}
