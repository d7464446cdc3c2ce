import { accessWarning, requestScopeWarning } from './access-policy.js';
import type { AccessReport } from './read-log.js';

/** Tells a developer why pages of a route are not stored: once for each route. */
export class AccessWarnings {
  private readonly told = new Set<string>();

  constructor(private readonly warn: (message: string) => void) {}

  /** `reads` are those of the verdict; without any there is nothing that a developer could do. */
  reads(route: string, reads: readonly string[], { late }: AccessReport): void {
    if (reads.length > 0) this.once(route, () => accessWarning(route, reads, late.headers));
  }

  /** For a request-scoped route without a declaration (see `isRequestScoped`). */
  requestScope(route: string): void {
    this.once(route, () => requestScopeWarning(route));
  }

  private once(route: string, message: () => string): void {
    if (this.told.has(route)) return;
    this.told.add(route);
    this.warn(message());
  }
}
