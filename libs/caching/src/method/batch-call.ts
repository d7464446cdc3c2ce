import { types } from 'node:util';
import { InvalidArgumentError, InvalidDecorationError } from '../errors.js';
import type { Call, Original } from './decorate.js';

/** One call of a method that takes a list of ids first. */
export class BatchCall {
  readonly ids: readonly unknown[];
  private readonly rest: readonly unknown[];

  /** @throws InvalidArgumentError unless the first argument is a list */
  constructor(
    private readonly call: Call,
    private readonly original: Original,
    private readonly title: string,
    private readonly answers: 'map' | 'array',
  ) {
    const [ids, ...rest] = call.args;
    if (!Array.isArray(ids)) throw new InvalidArgumentError(`${title} takes a list of ids first.`);
    this.ids = ids;
    this.rest = rest;
  }

  /** The arguments for one id out of the list. */
  argumentsOf(id: unknown): readonly unknown[] {
    return [id, ...this.rest];
  }

  /** Runs the method for some of the ids; what it answers, by id. */
  async run(ids: readonly unknown[]): Promise<ReadonlyMap<unknown, unknown>> {
    if (ids.length === 0) return new Map();
    const answer = await this.original(this.call, [ids, ...this.rest]);
    if (this.answers === 'map') {
      if (types.isMap(answer)) return answer;
      throw new InvalidDecorationError(
        `@CachedMany on ${this.title}: the method did not answer a Map by id. For a list in the order of the ids say ` +
          "answers: 'array'.",
      );
    }
    if (Array.isArray(answer) && answer.length === ids.length) {
      return new Map(ids.map((id, index) => [id, (answer as unknown[])[index]]));
    }
    throw new InvalidDecorationError(
      `@CachedMany on ${this.title}: with answers: 'array' the method must answer one element for each id, in their order, ` +
        'and undefined where there is none.',
    );
  }

  /** What the method would have answered. */
  answer(values: readonly unknown[]): unknown {
    if (this.answers === 'array') return values;
    const pairs = this.ids.map((id, index) => [id, values[index]] as const);
    return new Map(pairs.filter(([, value]) => value !== undefined));
  }
}
