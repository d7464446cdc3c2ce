import { type CanActivate, type ExecutionContext, Injectable, UnauthorizedException } from '@nestjs/common';

export interface User {
  readonly id: string;
  readonly name: string;
}

/** What the guard leaves on the request. */
export interface SignedIn {
  readonly headers: { readonly authorization?: string | undefined };
  user?: User;
}

/** Who has which token. A real application would verify a signature here. */
const USERS: ReadonlyMap<string, User> = new Map([
  ['alice-token', { id: 'alice', name: 'Alice' }],
  ['bob-token', { id: 'bob', name: 'Bob' }],
]);

/** Says who asks. Guards run on hits as well, so that a token that is no longer good opens no stored page. */
@Injectable()
export class TokenGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<SignedIn>();
    const [scheme, token = ''] = (request.headers.authorization ?? '').split(' ');
    const user = scheme?.toLowerCase() === 'bearer' ? USERS.get(token) : undefined;
    if (user === undefined) throw new UnauthorizedException('send Authorization: Bearer alice-token');
    request.user = user;
    return true;
  }
}
