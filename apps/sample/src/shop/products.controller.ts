import { BadRequestException, Body, Controller, Post } from '@nestjs/common';
import { FragmentCache } from 'nestjs-caching';
import { type NewProduct, type Product, ProductsStore } from './products.store.js';

@Controller('products')
export class ProductsController {
  constructor(
    private readonly store: ProductsStore,
    private readonly fragments: FragmentCache,
  ) {}

  /** The next `GET /shop` shows it: what lists products is rendered anew, and the categories if there is a new one. */
  @Post()
  async add(@Body() body: unknown): Promise<Product> {
    const { product, isNewCategory } = this.store.add(newProduct(body));
    await this.fragments.invalidateTags(isNewCategory ? ['products', 'categories'] : ['products']);
    return product;
  }
}

/** @throws BadRequestException */
function newProduct(body: unknown): NewProduct {
  const { name, category, price, sold = 0 } = (body ?? {}) as Record<string, unknown>;
  if (typeof name === 'string' && typeof category === 'string' && isAmount(price) && isAmount(sold))
    return { name, category, price, sold };
  throw new BadRequestException('A product has a name, a category, a price and perhaps a number sold.');
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
