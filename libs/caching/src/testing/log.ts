import { Logger } from '@nestjs/common';

const LEVELS = ['log', 'warn', 'error'] as const;

/** What an action makes Nest's loggers say; nothing of it is printed. */
export async function linesOf(action: () => Promise<void>): Promise<string[]> {
  const lines: string[] = [];
  const kept = LEVELS.map((level) => [level, Logger.prototype[level]] as const);
  for (const [level] of kept) {
    Logger.prototype[level] = (...words: unknown[]) => void lines.push(words.map(String).join(' '));
  }
  try {
    await action();
  } finally {
    for (const [level, method] of kept) Logger.prototype[level] = method;
  }
  return lines;
}
