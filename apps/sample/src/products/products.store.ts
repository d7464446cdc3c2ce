import { setTimeout as wait } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { SETTINGS, type Settings } from '../settings.js';

export interface Product {
  readonly id: number;
  readonly name: string;
  readonly category: string;
  readonly price: number;
}

/** Which products, in which order. */
export interface ProductQuery {
  readonly category: string | undefined;
  readonly sort: 'name' | 'price';
  /** From 1. */
  readonly page: number;
}

/** What a query finds. The sequence number shows how often the store was really asked. */
export interface ProductList {
  readonly sequence: number;
  readonly total: number;
  readonly products: readonly Product[];
}

/** How many products each category has. */
export interface CategoryList {
  readonly sequence: number;
  readonly categories: Readonly<Record<string, number>>;
}

const PAGE_SIZE = 3;

/** Stands for a database: slow to ask, quick to write to, and gone with the process. */
@Injectable()
export class ProductsStore {
  private sequence = 0;
  private readonly products: Product[] = [
    { id: 1, name: 'Assam', category: 'tea', price: 9 },
    { id: 2, name: 'Sencha', category: 'tea', price: 12 },
    { id: 3, name: 'Rooibos', category: 'tea', price: 7 },
    { id: 4, name: 'Kettle', category: 'ware', price: 39 },
    { id: 5, name: 'Cup', category: 'ware', price: 14 },
  ];

  constructor(@Inject(SETTINGS) private readonly settings: Settings) {}

  async list({ category, sort, page }: ProductQuery): Promise<ProductList> {
    const sequence = await this.ask();
    const found = this.products.filter((product) => category === undefined || product.category === category);
    found.sort((one, other) =>
      sort === 'price' ? one.price - other.price : one.name.localeCompare(other.name, 'en'),
    );
    const from = (page - 1) * PAGE_SIZE;
    return {
      sequence,
      total: found.length,
      products: found.slice(from, from + PAGE_SIZE),
    };
  }

  async categories(): Promise<CategoryList> {
    const sequence = await this.ask();
    const categories: Record<string, number> = {};
    for (const { category } of this.products) categories[category] = (categories[category] ?? 0) + 1;
    return { sequence, categories };
  }

  add(product: Omit<Product, 'id'>): Product {
    const added = { id: this.products.length + 1, ...product };
    this.products.push(added);
    return added;
  }

  private async ask(): Promise<number> {
    await wait(this.settings.upstreamDelay);
    return (this.sequence += 1);
  }
}
