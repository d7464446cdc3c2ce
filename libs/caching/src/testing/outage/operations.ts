import type { ComplianceBackend } from '../compliance/subject.js';
import type { FullBackend } from '../compliance/trial.js';

/** How long anything may take before it counts as hanging: far more than every limit, for a busy machine. */
const PATIENCE_MS = 30_000;

const OPERATIONS: Readonly<Record<string, (backend: FullBackend) => unknown>> = {
  get: (backend) => backend.get('app:key'),
  set: (backend) => backend.set('app:key', 1, 60_000),
  delete: (backend) => backend.delete('app:key'),
  ttl: (backend) => backend.ttl('app:key'),
  add: (backend) => backend.add('app:key', 1, 60_000),
  increment: (backend) => backend.increment('app:key', 1, 0, 60_000),
  touch: (backend) => backend.touch('app:key', 60_000),
  compareAndSet: (backend) => backend.compareAndSet('app:key', 1, 2, 60_000),
  compareAndDelete: (backend) => backend.compareAndDelete('app:key', 1),
  getMany: (backend) => backend.getMany(['app:key', 'app:other']),
  setMany: (backend) => backend.setMany([{ key: 'app:key', payload: 1, ttlMs: null }]),
  deleteMany: (backend) => backend.deleteMany(['app:key', 'app:other']),
  keys: (backend) => firstOf(backend.keys('app:')),
  clear: (backend) => backend.clear('app:'),
};

/** The operations that a backend has and that ask its server. */
export function operationsOf(backend: ComplianceBackend): string[] {
  return Object.keys(OPERATIONS).filter((name) =>
    name === 'clear' ? backend.capabilities.lists : backend[name as keyof FullBackend] !== undefined,
  );
}

/** Every operation at once; answers which of them failed. */
export async function failing(backend: ComplianceBackend): Promise<string[]> {
  const names = operationsOf(backend);
  const outcomes = await Promise.all(
    names.map((name) => outcomeOf(() => OPERATIONS[name]!(backend as FullBackend))),
  );
  return names.filter((_, index) => outcomes[index]!.status === 'rejected');
}

async function firstOf(keys: AsyncIterable<string>): Promise<string | undefined> {
  for await (const key of keys) return key;
  return undefined;
}

/** How an action ends. @throws Error if it does not end */
export async function outcomeOf<T>(action: () => T): Promise<PromiseSettledResult<Awaited<T>>> {
  let timer: NodeJS.Timeout | undefined;
  const hanging = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Still pending after ${PATIENCE_MS} ms.`)), PATIENCE_MS);
  });
  try {
    const [outcome] = await Promise.race([Promise.allSettled([(async () => action())()]), hanging]);
    return outcome;
  } finally {
    clearTimeout(timer);
  }
}

/** The reason why an action fails. @throws Error if it does not */
export async function reasonOf(action: () => unknown): Promise<unknown> {
  const outcome = await outcomeOf(action);
  if (outcome.status === 'rejected') return outcome.reason as unknown;
  throw new Error('This should have failed and did not.');
}

/** Asks until the answer is yes. */
export async function eventually(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; !(await condition());) {
    if (performance.now() > end) throw new Error(`It did not come true within ${PATIENCE_MS} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Whether every operation works. */
export async function serves(backend: ComplianceBackend): Promise<boolean> {
  return (await failing(backend)).length === 0;
}
