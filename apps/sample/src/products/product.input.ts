import { BadRequestException } from '@nestjs/common';
import type { NewProduct, ProductQuery } from './products.store.js';

/** @throws BadRequestException, whose 400 is not stored */
export function readQuery({ category, sort = 'name', page = '1' }: Record<string, unknown>): ProductQuery {
  if (category !== undefined && typeof category !== 'string')
    throw new BadRequestException('category is one word');
  if (sort !== 'name' && sort !== 'price') throw new BadRequestException('sort is name or price');
  if (typeof page !== 'string' || !/^[1-9]\d{0,5}$/.test(page))
    throw new BadRequestException('page is a whole number from 1');
  return { category, sort, page: Number(page) };
}

/** @throws BadRequestException */
export function readProduct(body: unknown): NewProduct {
  const { name, category, price, sold = 0 } = (body ?? {}) as Partial<Record<keyof NewProduct, unknown>>;
  if (isName(name) && isName(category) && isAmount(price) && isAmount(sold))
    return { name, category, price, sold };
  throw new BadRequestException('a product has a name, a category, a price and perhaps a number sold');
}

function isName(text: unknown): text is string {
  return typeof text === 'string' && text.length > 0 && text.length <= 100;
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
