import { CacheClosedError, CachingError } from '../errors.js';
import { accessWarning, requestScopeWarning } from './access-policy.js';
import { shownRoute } from './page-route.js';
import type { AccessReport } from './read-log.js';

/** Tells a developer why pages of a route are not stored: once for each route and reason. No values, no keys. */
export class PageWarnings {
  private readonly told = new Set<string>();

  constructor(private readonly warn: (message: string) => void) {}

  /** `reads` are those of the verdict; without any there is nothing that a developer could do. */
  reads(route: string, reads: readonly string[], { late }: AccessReport): void {
    if (reads.length > 0)
      this.once(`reads ${route}`, () => accessWarning(shownRoute(route), reads, late.headers));
  }

  /** For a request-scoped route without a declaration (see `isRequestScoped`). */
  requestScope(route: string): void {
    this.once(`reads ${route}`, () => requestScopeWarning(shownRoute(route)));
  }

  /** For what fails behind a response that its client has. */
  failure(route: string, error: unknown): void {
    if (error instanceof CacheClosedError) return;
    this.once(`failure ${route}`, () => {
      // Other errors may say what is in the page.
      const reason = error instanceof CachingError ? error.message : `${nameOf(error)} was thrown.`;
      return `A page of ${shownRoute(route)} was not stored: ${reason} More such failures of this route are not logged.`;
    });
  }

  private once(id: string, message: () => string): void {
    if (this.told.has(id)) return;
    this.told.add(id);
    this.warn(message());
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : `something of type ${typeof error}`;
}
