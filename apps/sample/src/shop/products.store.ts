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

const STOCK: readonly NewProduct[] = [
  { name: 'Moka pot', category: 'Kitchen', price: 34, sold: 412 },
  { name: 'Desk lamp', category: 'Office', price: 59, sold: 387 },
  { name: 'Chef’s knife', category: 'Kitchen', price: 89, sold: 301 },
  { name: 'Notebook', category: 'Office', price: 7, sold: 280 },
  { name: 'Watering can', category: 'Garden', price: 22, sold: 145 },
  { name: 'Secateurs', category: 'Garden', price: 31, sold: 97 },
];
const POPULAR = 4;

/** The products, as a slow database would have them: each question takes as long as the upstream of the other examples. */
@Injectable()
export class ProductsStore {
  private readonly products: Product[] = STOCK.map((product, index) => ({ id: index + 1, ...product }));

  constructor(@Inject(SETTINGS) private readonly settings: Settings) {}

  async categories(): Promise<string[]> {
    await this.pause();
    return this.names();
  }

  /** The ones that sell best, the best first. */
  async popular(): Promise<Product[]> {
    await this.pause();
    return [...this.products].sort((a, b) => b.sold - a.sold).slice(0, POPULAR);
  }

  /** Adds a product; answers whether its category is a new one. */
  add(product: NewProduct): { readonly product: Product; readonly isNewCategory: boolean } {
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
