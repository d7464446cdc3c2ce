import { Controller, Get, Query, Render } from '@nestjs/common';
import { NeverCache } from 'nestjs-caching';
import { type Product, ProductsStore } from '../products/products.store.js';

/** What `views/shop.hbs` is made of. The functions are called only if the fragments that want their data are not at hand. */
interface ShopView {
  readonly user: string;
  readonly now: string;
  readonly categories: () => Promise<{ readonly names: string[]; readonly renderedAt: string }>;
  readonly popular: () => Promise<{ readonly products: readonly Product[]; readonly renderedAt: string }>;
}

/** A page that cannot be cached, because it greets its reader, and its parts that can. */
@Controller('shop')
export class ShopController {
  constructor(private readonly store: ProductsStore) {}

  @Get()
  @NeverCache()
  @Render('shop')
  show(@Query('user') user?: string): ShopView {
    return {
      user: String(user ?? 'stranger'),
      now: time(),
      categories: async () => {
        const { categories } = await this.store.categories();
        return { names: Object.keys(categories).sort(), renderedAt: time() };
      },
      popular: async () => ({ products: await this.store.popular(), renderedAt: time() }),
    };
  }
}

/** `14:03:27.512` */
function time(): string {
  return new Date().toISOString().slice(11, 23);
}
