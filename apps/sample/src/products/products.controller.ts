import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import { CachePage } from 'nestjs-caching';
import { readProduct, readQuery } from './product.input.js';
import { type Product, type ProductList, ProductsStore } from './products.store.js';

/** A list that is slow to make, asked for in many ways, and changed now and then. */
@Controller('products')
export class ProductsController {
  constructor(private readonly store: ProductsStore) {}

  /**
   * Each combination of these three parameters is a page of its own, in whatever order they come. Any other parameter, such
   * as `utm_source`, counts for nothing: it makes no further page, and the handler does not see it.
   */
  @Get()
  @CachePage('15m', { query: { only: ['category', 'sort', 'page'] }, tags: ['products'] })
  list(@Query() query: Record<string, unknown>): Promise<ProductList> {
    return this.store.list(readQuery(query));
  }

  /**
   * Nothing here speaks of the cache: a successful POST invalidates the pages of its own path, every combination of
   * parameters, before it is answered. One that fails does not.
   */
  @Post()
  add(@Body() body: unknown): Product {
    return this.store.add(readProduct(body));
  }
}
