import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Exclude, Expose, instanceToPlain, plainToInstance, Type } from 'class-transformer';
import {
  type CacheOptions,
  type CacheService,
  InvalidOptionsError,
  UnserializableValueError,
  type ValueConverter,
} from 'nestjs-caching';
import { resolveOptions } from '../../libs/caching/src/resolve-options.js';
import { openCache } from '../support/caches.js';
import { describeService } from '../support/services.js';

/** As TypeORM gives it: fields on the instance, lazy relations as Promises under another name, methods on the class. */
class BaseEntity {
  save(): string {
    return 'saved';
  }
}
class OrmUser extends BaseEntity {
  id = 1;
  name = 'Ada';
  createdAt = new Date(5);
  roles = [Object.assign(new OrmRole(), { name: 'admin' })];
  get label(): string {
    return `${this.name} #${this.id}`;
  }
}
class OrmRole extends BaseEntity {
  name = 'user';
}
class LazyOrmUser extends OrmUser {
  __posts__ = Promise.resolve([]);
}

const SCOPE = Symbol('mongoose#Document#scope');

/** As Mongoose gives it: data under `_doc` behind accessors of the class, state under symbols, ids of a class, emitters. */
class ObjectId {
  readonly #bytes = Buffer.from('0123456789ab');
  toHexString(): string {
    return this.#bytes.toString('hex');
  }
}
class MongooseDocument {
  $__ = { activePaths: { paths: {}, states: {} }, emitter: new EventEmitter(), session: null };
  $isNew = false;
  _doc: { _id: ObjectId; name: string } = { _id: new ObjectId(), name: 'Ada' };
  [SCOPE] = undefined;
  get name(): string {
    return this._doc.name;
  }
  toObject(): object {
    return { _id: this._doc._id.toHexString(), name: this._doc.name };
  }
}

/** With what a class serializer hides and shows. */
class Account {
  id = 7;
  @Exclude() passwordHash = 'secret';
  @Type(() => Date) since = new Date(9);
  @Expose() get title(): string {
    return `account ${this.id}`;
  }
}

class Money {
  readonly #cents: bigint;
  constructor(
    cents: bigint,
    readonly currency: string,
  ) {
    this.#cents = cents;
  }
  get cents(): bigint {
    return this.#cents;
  }
  plus(cents: bigint): Money {
    return new Money(this.#cents + cents, this.currency);
  }
}
class Price {
  constructor(
    readonly net: Money,
    public notes: string[],
  ) {}
}
class Discount extends Money {}

const MONEY: ValueConverter<Money, { cents: bigint; currency: string }> = {
  name: 'money',
  type: Money,
  toData: ({ cents, currency }) => ({ cents, currency }),
  fromData: ({ cents, currency }) => new Money(cents, currency),
};
const PRICE: ValueConverter<Price, { net: Money; notes: string[] }> = {
  name: 'price',
  type: Price,
  toData: ({ net, notes }) => ({ net, notes }),
  fromData: ({ net, notes }) => new Price(net, notes),
};
const ACCOUNT: ValueConverter<Account, object> = {
  name: 'account',
  type: Account,
  toData: (account) => ({ ...account }),
  fromData: (data) => plainToInstance(Account, data),
};

let open: CacheService[] = [];
afterEach(async () => {
  await Promise.all(open.map((cache) => cache.close()));
  open = [];
});

function describeEntities(name: string, location: () => CacheOptions): void {
  const start = async (options: Partial<CacheOptions> = {}, keyPrefix: string = randomUUID()) => {
    const cache = await openCache({ ...location(), keyPrefix, ...options } as CacheOptions);
    open.push(cache);
    return cache;
  };

  describe(`entities on ${name}`, () => {
    it.each<[string, () => object, string]>([
      ['of TypeORM', () => ({ users: [new OrmUser()] }), 'value.users[0]'],
      ['of Mongoose', () => [new MongooseDocument()], 'value[0]'],
      ['of class-transformer', () => ({ account: new Account() }), 'value.account'],
      ['a bson id in plain data', () => ({ _id: new ObjectId(), name: 'Ada' }), 'value._id'],
    ])(
      '%s are refused by set, add and getOrSet, naming the path and the ways out',
      async (_kind, make, path) => {
        const cache = await start();
        const refusal = {
          code: 'CACHING_UNSERIALIZABLE_VALUE',
          path,
          message: expect.stringMatching(/converters.*classInstances: 'plain'/s),
        };
        await expect(cache.set('k', make())).rejects.toMatchObject(refusal);
        await expect(cache.add('k', make())).rejects.toMatchObject(refusal);
        await expect(cache.getOrSet('k', make)).rejects.toMatchObject(refusal);
        expect(await cache.has('k')).toBe(false);
      },
    );

    it("with classInstances: 'plain' keep their own fields and lose the class, alike on a miss and on a hit", async () => {
      const cache = await start({ classInstances: 'plain' });
      const user = { id: 1, name: 'Ada', createdAt: new Date(5), roles: [{ name: 'admin' }] };
      for (let time = 0; time < 2; time += 1) {
        const read = await cache.getOrSet<object>('user', () => new OrmUser());
        expect(read).toEqual(user);
        expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
        // What the class serializer would have hidden is there: the option says so.
        const account = await cache.getOrSet<object>('account', () => new Account());
        expect(instanceToPlain(account)).toEqual({ id: 7, passwordHash: 'secret', since: new Date(9) });
      }
      await expect(cache.set('k', new LazyOrmUser())).rejects.toMatchObject({
        path: 'value.__posts__',
        found: expect.stringContaining('await'),
      });
      await expect(cache.set('k', new MongooseDocument())).rejects.toThrow(UnserializableValueError);
    });

    it('are kept as plain objects that they make of themselves', async () => {
      const cache = await start();
      const document = new MongooseDocument();
      await cache.set('k', document.toObject());
      expect(await cache.get('k')).toEqual({ _id: Buffer.from('0123456789ab').toString('hex'), name: 'Ada' });
      await cache.set('l', instanceToPlain(new Account()));
      expect(await cache.get('l')).toEqual({ id: 7, since: new Date(9), title: 'account 7' });
    });

    it('of converted classes come back as instances, on a miss and on a hit, each reader with its own', async () => {
      const cache = await start({ converters: [MONEY, PRICE, ACCOUNT] });
      const make = () => ({
        price: new Price(new Money(5n, 'EUR'), ['net']),
        accounts: new Set([new Account()]),
      });
      for (let time = 0; time < 3; time += 1) {
        const read = await cache.getOrSet('k', make);
        expect(read.price).toBeInstanceOf(Price);
        expect(read.price.net.plus(2n).cents).toBe(7n);
        const [account] = read.accounts;
        expect(instanceToPlain(account)).toEqual({ id: 7, since: new Date(9), title: 'account 7' });
        read.price.notes.push('changed');
      }
      expect((await cache.get<ReturnType<typeof make>>('k'))?.price.notes).toEqual(['net']);
      const copy = await cache.get<ReturnType<typeof make>>('k', { copy: true });
      expect(copy?.price.net.cents).toBe(5n);
      const many = await cache.getMany<ReturnType<typeof make>>(['k']);
      expect(many.get('k')?.price).toBeInstanceOf(Price);
      await cache.set('m', new Money(1n, 'EUR'));
      expect(await cache.get<Money>('m')).toBeInstanceOf(Money);
    });

    it('keep one instance one instance, refuse subclasses of what is converted, and name the path inside', async () => {
      const cache = await start({ converters: [MONEY, PRICE] });
      const money = new Money(5n, 'EUR');
      await cache.set('k', [money, money, { money }]);
      const [one, two, three] = (await cache.get<[Money, Money, { money: Money }]>('k')) ?? [];
      expect(one).toBeInstanceOf(Money);
      expect(two).toBe(one);
      expect(three?.money).toBe(one);
      await expect(cache.set('k', { all: [new Discount(1n, 'EUR')] })).rejects.toMatchObject({
        path: 'value.all[0]',
        found: 'an instance of Discount',
      });
      await expect(cache.set('k', new Price(new Discount(1n, 'EUR'), []))).rejects.toMatchObject({
        path: 'value["toData()"].net',
      });
      const itself: ValueConverter = {
        name: 'x',
        type: OrmRole,
        toData: (role) => role,
        fromData: (data) => data as object,
      };
      const odd = await start({ converters: [itself] });
      await expect(odd.set('k', new OrmRole())).rejects.toThrow(UnserializableValueError);
    });
  });
}

describeEntities('memory', () => ({}));
describeService('redis', (service) => {
  describeEntities('redis', () => ({ url: service().url }));

  it('entries are misses for a release that cannot read them: without the converter, or one that throws', async () => {
    const keyPrefix = randomUUID();
    const start = async (converters: unknown) => {
      const cache = await openCache({ url: service().url, keyPrefix, converters } as CacheOptions);
      open.push(cache);
      return cache;
    };
    const cache = await start([MONEY]);
    await cache.set('k', { price: new Money(5n, 'EUR') });
    expect(await (await start([MONEY])).get('k')).toMatchObject({ price: { currency: 'EUR' } });
    const throwing = {
      ...MONEY,
      fromData: () => {
        throw new Error('another shape');
      },
    };
    for (const converters of [[], [{ ...MONEY, name: 'money-2' }], [throwing]]) {
      const other = await start(converters);
      expect(await other.get('k')).toBeUndefined();
      expect(other.statistics.corrupt).toBe(1);
    }
    expect(await cache.has('k')).toBe(true);
  });
});

describe('converters in options', () => {
  it.each<[string, unknown, RegExp]>([
    ['no list', {}, /converters/],
    ['no name', [{ ...MONEY, name: '' }], /converters\.0: use \{ name/],
    ['no class', [{ ...MONEY, type: 'Money' }], /converters\.0/],
    ['no function', [{ ...MONEY, fromData: undefined }], /converters\.0/],
    ['one name twice', [MONEY, { ...PRICE, name: 'money' }], /two have one name/],
    ['one class twice', [MONEY, { ...MONEY, name: 'other' }], /two are for one class/],
  ])('are checked: %s', (_what, converters, message) => {
    expect(() => resolveOptions({ converters })).toThrow(InvalidOptionsError);
    expect(() => resolveOptions({ converters })).toThrow(message);
  });
});
