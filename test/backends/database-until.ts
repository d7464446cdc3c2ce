import { setTimeout as pause } from 'node:timers/promises';

/** Asks again until the answer is yes. */
export async function until(condition: () => boolean | Promise<boolean>, limitMs = 10_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`It did not come true within ${limitMs} ms.`);
    await pause(5);
  }
}
