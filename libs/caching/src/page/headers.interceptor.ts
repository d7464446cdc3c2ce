import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  PreconditionFailedException,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { type Observable, of } from 'rxjs';
import { currentValidators, preconditionsOf, type ProviderLookup } from './condition.js';
import { evaluatePreconditions, type Verdict } from './conditional.js';
import type { ExpressRequest, ExpressResponse, FastifyReply, FastifyRequest } from './platform.js';
import { declaredHeaders } from './header-metadata.js';
import { HeaderPatch } from './header-patch.js';
import { type Reply, replyOf } from './reply.js';

/** Responses that are dealt with: the decorators of a method and of its controller each bring the interceptor. */
const patched = new WeakSet<object>();

/**
 * Goes by the header decorators of a route. They bring it along, so that they need no module; on a hit of the page cache it
 * does not run, since what it wrote is part of the page.
 */
@Injectable()
export class HeadersInterceptor implements NestInterceptor {
  private readonly providers: ProviderLookup;

  constructor(modules: ModuleRef) {
    this.providers = { get: (token) => modules.get(token as string, { strict: false }) };
  }

  intercept(
    context: ExecutionContext,
    next: CallHandler,
  ): Observable<unknown> | Promise<Observable<unknown>> {
    if (context.getType() !== 'http') return next.handle();
    const response = context.getArgByIndex<ExpressResponse | FastifyReply>(1);
    if (patched.has(response)) return next.handle();
    patched.add(response);
    const request = context.getArgByIndex<ExpressRequest | FastifyRequest>(0);
    const reply = replyOf(request, response);
    const declared = declaredHeaders(context.getHandler(), context.getClass());
    const patch = new HeaderPatch(reply, declared);
    reply.beforeHeaders(() => patch.apply());
    if (declared.condition === undefined) return next.handle();
    return currentValidators(declared.condition, request, this.providers).then((validators) => {
      patch.validators = validators;
      // Before the handler: Express would make a tag of its own where there is none.
      patch.apply();
      return answer(
        reply,
        evaluatePreconditions(reply.method, preconditionsOf(request.headers), validators),
        next,
      );
    });
  }
}

/** Goes on to the handler, or answers in its place. */
function answer(reply: Reply, verdict: Verdict, next: CallHandler): Observable<unknown> {
  switch (verdict) {
    case 'not-modified':
      reply.sendNotModified();
      return of(undefined);
    case 'precondition-failed':
      throw new PreconditionFailedException();
    case 'proceed':
      return next.handle();
  }
}
