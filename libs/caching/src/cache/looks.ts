import type { Address, Awaitable, Entries, Sight } from './entries.js';
import type { Life } from './entry.js';
import { type FailurePolicy, isPromise } from './failure-policy.js';

/** A look that was taken before the load was asked for. */
export interface FirstLook<T> {
  readonly order: number;
  /** `undefined` if the backend failed. */
  readonly sight: Sight<T> | undefined;
}

/** What is to be looked at. */
export interface LookRequest<T> {
  readonly address: Address<T>;
  readonly life: Pick<Life, 'tags'>;
}

/** Looks at keys and at their tags, in one order with the beginnings of loads: a look that is older says nothing of a load. */
export class Looks {
  private sequence = 0;

  constructor(
    private readonly entries: Entries,
    private readonly policy: FailurePolicy,
  ) {}

  /** The next point in the order. */
  order(): number {
    return (this.sequence += 1);
  }

  /** A look now. */
  at<T>(address: Address<T>, tags: readonly string[]): Awaitable<Sight<T> | undefined> {
    const look = () => this.entries.look(address, tags);
    return this.policy.read<Sight<T> | undefined>('get', look, undefined);
  }

  /** A look for those who load a key only if they do not find what they want. */
  first<T>(address: Address<T>, tags: readonly string[]): Awaitable<FirstLook<T>> {
    const order = this.order();
    const { entries } = this;
    const sight = entries.answersAtOnce ? entries.look(address, tags) : this.at(address, tags);
    return isPromise(sight) ? sight.then((later) => ({ order, sight: later })) : { order, sight };
  }

  /** One look at many keys, for loads that begin soon. */
  async ahead<T>(requests: readonly LookRequest<T>[]): Promise<FirstLook<T>[]> {
    const order = this.order();
    const addresses = requests.map(({ address }) => address);
    const tags = [...new Set(requests.flatMap(({ life }) => life.tags))];
    const look = async () => this.entries.lookAtAll(addresses, tags);
    const sights = await this.policy.read<Sight<T>[]>('getMany', look, []);
    return requests.map((_request, index) => ({ order, sight: sights[index] }));
  }
}
