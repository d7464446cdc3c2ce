import { BadRequestException } from '@nestjs/common';
import type { Product, ProductQuery } from './products.store.js';

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
export function readProduct(body: unknown): Omit<Product, 'id'> {
  const { name, category, price } = (body ?? {}) as Partial<Record<keyof Product, unknown>>;
  if (!isName(name) || !isName(category) || typeof price !== 'number' || !(price >= 0))
    throw new BadRequestException('a product has a name, a category and a price');
  return { name, category, price };
}

function isName(text: unknown): text is string {
  return typeof text === 'string' && text.length > 0 && text.length <= 100;
}
