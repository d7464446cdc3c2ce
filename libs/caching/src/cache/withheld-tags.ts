/** How many invalidations of several caches are under way, by tag. */
const withheld = new Map<string, number>();

/** Runs an invalidation of several caches: until it is done, this process stores nothing that has one of the tags. */
export async function withholding<R>(tags: readonly string[], invalidate: () => Promise<R>): Promise<R> {
  for (const tag of tags) withheld.set(tag, (withheld.get(tag) ?? 0) + 1);
  try {
    return await invalidate();
  } finally {
    for (const tag of tags) {
      const others = (withheld.get(tag) ?? 0) - 1;
      if (others > 0) withheld.set(tag, others);
      else withheld.delete(tag);
    }
  }
}

/** Whether what has this tag must not be stored now. */
export function isWithheld(tag: string): boolean {
  return withheld.size > 0 && withheld.has(tag);
}
