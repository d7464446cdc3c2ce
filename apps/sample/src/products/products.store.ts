import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { SETTINGS, type Settings } from '../settings.js';

export interface Product {
  readonly id: number;
  readonly name: string;
  readonly category: string;
  readonly price: number;
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

export interface ProductList {
  readonly total: number;
  readonly products: readonly Product[];
}

/** What has come of adding a product. */
export interface Addition {
  readonly product: Product;
  readonly isNewCategory: boolean;
}

const STOCK: readonly NewProduct[] = [
  { name: 'Moka pot', category: 'Kitchen', price: 34, sold: 412 },
  { name: 'Desk lamp', category: 'Office', price: 59, sold: 387 },
  { name: 'Chef’s knife', category: 'Kitchen', price: 89, sold: 301 },
  { name: 'Notebook', category: 'Office', price: 7, sold: 280 },
  { name: 'Watering can', category: 'Garden', price: 22, sold: 145 },
  { name: 'Secateurs', category: 'Garden', price: 31, sold: 97 },
];
const PAGE_SIZE = 4;

/** The products, as a slow database would have them: each question takes as long as the upstream of the other examples. */
@Injectable()
export class ProductsStore {
  private readonly products: Product[] = STOCK.map((product, index) => ({ id: index + 1, ...product }));

  constructor(@Inject(SETTINGS) private readonly settings: Settings) {}

  async list({ category, sort, page }: ProductQuery): Promise<ProductList> {
    await this.pause();
    const found = this.products.filter((product) => category === undefined || product.category === category);
    found.sort((one, other) =>
      sort === 'price' ? one.price - other.price : one.name.localeCompare(other.name, 'en'),
    );
    const from = (page - 1) * PAGE_SIZE;
    return { total: found.length, products: found.slice(from, from + PAGE_SIZE) };
  }

  async categories(): Promise<string[]> {
    await this.pause();
    return this.names();
  }

  add(product: NewProduct): Addition {
    const isNewCategory = !this.names().includes(product.category);
    const added = { id: this.products.length + 1, ...product };
    this.products.push(added);
    return { product: added, isNewCategory };
  }

  private names(): string[] {
    return [...new Set(this.products.map(({ category }) => category))].sort();
  }

  private async pause(): Promise<void> {
    await sleep(this.settings.upstreamDelay);
  }
}
