/** All that is taken from `@nestjs/cache-manager`: the two tokens under which its users inject a cache. */
export { Cache as CACHE_CLASS, CACHE_MANAGER } from '@nestjs/cache-manager';
