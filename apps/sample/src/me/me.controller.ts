import { Controller, Get, Req, UseGuards } from '@nestjs/common';
import { CachePage } from 'nestjs-caching';
import { type SlowData, Upstream } from '../upstream.js';
import { type SignedIn, TokenGuard } from './token.guard.js';

interface Profile extends SlowData {
  readonly name: string;
}

/** A page that each user has one of. */
@Controller('me')
@UseGuards(TokenGuard)
export class MeController {
  constructor(private readonly upstream: Upstream) {}

  /**
   * `user` says whose page it is, and that the handler may read `request.user`. Without it nothing would be stored: requests
   * with `Authorization` go past the cache.
   */
  @Get()
  @CachePage('1m', { user: (request: SignedIn) => request.user?.id })
  async profile(@Req() request: SignedIn): Promise<Profile> {
    const data = await this.upstream.fetch();
    return { name: request.user?.name ?? '', ...data };
  }
}
