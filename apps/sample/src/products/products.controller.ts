import { Body, Controller, Get, Post, Query } from '@nestjs/common';
import { CachePage, FragmentCache, InvalidatesPages } from 'nestjs-caching';
import { readProduct, readQuery } from './product.input.js';
import { type CategoryList, type Product, type ProductList, ProductsStore } from './products.store.js';

/** A list that is slow to make, asked for in many ways, and changed now and then. */
@Controller('products')
export class ProductsController {
  constructor(
    private readonly store: ProductsStore,
    private readonly fragments: FragmentCache,
  ) {}

  /**
   * Each combination of these three parameters is a page of its own, in whatever order they come. Any other parameter, such
   * as `utm_source`, counts for nothing: it makes no further page, and the handler does not see it.
   */
  @Get()
  @CachePage('15m', { query: { only: ['category', 'sort', 'page'] }, tags: ['products'] })
  list(@Query() query: Record<string, unknown>): Promise<ProductList> {
    return this.store.list(readQuery(query));
  }

  /** Another page that shows products. */
  @Get('categories')
  @CachePage('15m', { tags: ['products'] })
  categories(): Promise<CategoryList> {
    return this.store.categories();
  }

  /**
   * A POST that succeeds invalidates the pages of its own path, every combination of parameters, before it is answered, and
   * needs no decorator for that. Pages of other paths, and the fragments of the shop, are reached by what they have in common:
   * a tag. One that fails invalidates nothing.
   */
  @Post()
  @InvalidatesPages({ tags: ['products'] })
  async add(@Body() body: unknown): Promise<Product> {
    const { product, isNewCategory } = this.store.add(readProduct(body));
    if (isNewCategory) await this.fragments.invalidateTags(['categories']);
    return product;
  }
}
