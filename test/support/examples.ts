import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** A file of the repository. */
export const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');

/** The code of the fenced block that is marked with a file name. */
export async function example(path: string, file: string): Promise<string> {
  const match = new RegExp(`\`\`\`ts file=${file}\\n([^]*?)\`\`\``).exec(await read(path));
  if (match?.[1] === undefined) throw new Error(`${path} has no example ${file}`);
  return match[1];
}

/** Runs an example as a module of its own, within the repository, so that its imports are found. */
export async function load<T>(code: string): Promise<T> {
  const folder = await mkdtemp(join(ROOT, 'test/docs/.example-'));
  try {
    const file = join(folder, 'example.ts');
    await writeFile(file, code);
    return (await import(file)) as T;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The names of the optional members that an interface declares itself. */
export function membersOf(code: string, name: string): string[] {
  const body = new RegExp(`export interface ${name}\\b[^{]*\\{\\n([^]*?)\\n\\}`).exec(code)?.[1] ?? '';
  return [...body.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, member = '']) => member);
}
