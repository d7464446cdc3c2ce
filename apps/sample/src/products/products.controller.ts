import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import { CachePage, InvalidatesPages } from 'nestjs-caching';
import { readProduct, readQuery } from './product.input.js';
import { type Addition, type ProductList, ProductsStore } from './products.store.js';

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

  /** Another page, which most new products leave as it is. */
  @Get('categories')
  @CachePage('15m', { tags: ['categories'] })
  categories(): Promise<string[]> {
    return this.store.categories();
  }

  /**
   * A POST that succeeds invalidates the pages of its own path, every combination of parameters, before it is answered, and
   * needs no decorator for that. What is elsewhere is reached by its tags: here the result tells which. A POST that fails
   * invalidates nothing.
   */
  @Post()
  @InvalidatesPages((_request, { isNewCategory }: Addition) => ({
    tags: isNewCategory ? ['products', 'categories'] : ['products'],
  }))
  add(@Body() body: unknown): Addition {
    return this.store.add(readProduct(body));
  }
}
