import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  Logger,
  type NestInterceptor,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { type Observable, tap } from 'rxjs';
import { CachingError } from '../errors.js';
import type { Change, DeclaredInvalidations, DeclaredRoute } from './declared-invalidations.js';

import type { DeclaredTargets } from './invalidates-pages.decorator.js';
import { namedLocations } from './named-locations.js';
import type { PageInvalidations } from './page-invalidations.js';
import { pathTag } from './page-tags.js';
import { allTags } from './page-targets.js';
import type { ExpressRequest, ExpressResponse, FastifyReply, FastifyRequest } from './platform.js';
import { holdResponse } from './response-gate.js';

/** The methods that change nothing (RFC 9110 §9.2.1). */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

type AnyRequest = ExpressRequest | FastifyRequest;
type AnyResponse = ExpressResponse | FastifyReply;

/** A request that may change pages. */
interface Changing {
  readonly route: DeclaredRoute;
  readonly isUnsafe: boolean;
  readonly request: AnyRequest;
  readonly response: AnyResponse;
}

/**
 * Invalidates pages when requests succeed: those of the own path of an unsafe request, and those that `@InvalidatesPages`
 * names. The response waits, so that nobody who has it still finds the old page.
 */
@Injectable()
export class PageInvalidator implements NestInterceptor, OnApplicationBootstrap {
  private readonly logger = new Logger('Caching');
  private readonly reported = new WeakSet<DeclaredTargets>();

  constructor(
    private readonly declared: DeclaredInvalidations,
    private readonly invalidations: PageInvalidations,
  ) {}

  /** Whether any route of the application says what it invalidates. */
  get isDeclared(): boolean {
    return this.declared.exist;
  }

  onApplicationBootstrap(): void {
    this.declared.check();
  }

  /** For applications that keep no pages themselves; where there are some, their interceptor calls {@link around}. */
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return context.getType() === 'http' ? this.around(context, next).handle() : next.handle();
  }

  /** What runs the handler, and has the response wait if the request may change pages. */
  around(context: ExecutionContext, next: CallHandler): CallHandler {
    const request = context.getArgByIndex<AnyRequest>(0);
    const isUnsafe = !SAFE_METHODS.has(request.method ?? '');
    const route = this.declared.of(context.getHandler(), context.getClass());
    if (!isUnsafe && route.safe.length === 0) return next;
    const response = context.getArgByIndex<AnyResponse>(1);
    return { handle: () => this.watch({ route, isUnsafe, request, response }, next) };
  }

  private watch(changing: Changing, next: CallHandler): Observable<unknown> {
    let result: unknown;
    const { response } = changing;
    const raw: ServerResponse = 'raw' in response ? response.raw : response;
    holdResponse(raw, (status) => {
      // Only of what succeeded is it certain that nothing but it has changed (RFC 9111 §4.4).
      if (status < 200 || status >= 400) return undefined;
      return this.invalidate(changing, result);
    });
    // Nest ends an Observable whose client has left, and sends nothing: the change may have been made all the same.
    const unsubscribe = (): void => void this.invalidate(changing, result);
    return next.handle().pipe(tap({ next: (value) => (result = value), unsubscribe }));
  }

  private async invalidate(changing: Changing, result: unknown): Promise<void> {
    const { route, isUnsafe, request } = changing;
    const declared = isUnsafe ? route.unsafe : route.safe;
    const changes = declared.flatMap((targets) => this.changesOf(targets, request, result, route));
    if (isUnsafe) changes.push({ tags: { builtIn: ownPaths(changing), own: [] }, isSoft: false });
    const ofKind = (soft: boolean) => changes.filter(({ isSoft }) => isSoft === soft).map(({ tags }) => tags);
    await Promise.all(
      [false, true].map((isSoft) => this.invalidations.invalidateAnyway(allTags(ofKind(isSoft)), isSoft)),
    );
  }

  /** What went wrong is said once: the work is done, and the client must hear of it. */
  private changesOf(
    targets: DeclaredTargets,
    request: object,
    result: unknown,
    { name }: DeclaredRoute,
  ): readonly Change[] {
    try {
      return this.declared.changesOf(targets, request, result);
    } catch (error) {
      if (!this.reported.has(targets)) {
        this.reported.add(targets);
        // Other errors may say what is in the request.
        const reason = error instanceof CachingError ? error.message : `${(error as Error).name} was thrown.`;
        this.logger.error(
          `@InvalidatesPages on ${name} does not say which pages: ${reason} They may be shown until their lives end. ` +
            'More such failures of this decorator are not logged.',
        );
      }
      return [];
    }
  }
}

/** The tags of the request's own path, and of the paths that the response names. */
function ownPaths({ request, response }: Changing): readonly string[] {
  const target = request.originalUrl;
  const place = { scheme: request.protocol, host: request.host ?? '', target };
  const header = (name: string): unknown =>
    'raw' in response
      ? (response.getHeaders()[name] ?? response.raw.getHeader(name))
      : response.getHeader(name);
  return [...new Set([target, ...namedLocations(place, header)].map(pathTag))];
}
