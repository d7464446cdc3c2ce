import { setTimeout as wait } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { SETTINGS, type Settings } from '../settings.js';

export interface Product {
  readonly id: number;
  readonly name: string;
  readonly category: string;
  readonly price: number;
  /** How often it was sold. */
  readonly sold: number;
}

/** What a product is made of. */
export type NewProduct = Omit<Product, 'id'>;

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

const STOCK: readonly NewProduct[] = [
  { name: 'Moka pot', category: 'Kitchen', price: 34, sold: 412 },
  { name: 'Desk lamp', category: 'Office', price: 59, sold: 387 },
  { name: 'Chef’s knife', category: 'Kitchen', price: 89, sold: 301 },
  { name: 'Notebook', category: 'Office', price: 7, sold: 280 },
  { name: 'Watering can', category: 'Garden', price: 22, sold: 145 },
  { name: 'Secateurs', category: 'Garden', price: 31, sold: 97 },
];
const PAGE_SIZE = 3;
const POPULAR = 4;

/** Stands for a database: slow to ask, quick to write to, and gone with the process. */
@Injectable()
export class ProductsStore {
  private sequence = 0;
  private readonly products: Product[] = STOCK.map((product, index) => ({ id: index + 1, ...product }));

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

  /** The ones that sell best, the best first. */
  async popular(): Promise<readonly Product[]> {
    await this.ask();
    return [...this.products].sort((one, other) => other.sold - one.sold).slice(0, POPULAR);
  }

  /** Adds a product; answers whether its category is a new one. */
  add(product: NewProduct): { readonly product: Product; readonly isNewCategory: boolean } {
    const isNewCategory = !this.products.some(({ category }) => category === product.category);
    const added = { id: this.products.length + 1, ...product };
    this.products.push(added);
    return { product: added, isNewCategory };
  }

  private async ask(): Promise<number> {
    await wait(this.settings.upstreamDelay);
    return (this.sequence += 1);
  }
}
