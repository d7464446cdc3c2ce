/** The entry `nestjs-caching/database`: for migrations. It loads neither Knex nor a driver. */
export { createCacheTable, createCacheTableSql } from './backends/database/cache-table.js';
export type { DialectName } from './backends/database/dialect.js';
export type { Binding, KnexInstance, KnexQuery } from './backends/database/knex-instance.js';
