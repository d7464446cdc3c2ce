import { type AccessVerdict, judgeAccess } from './access-policy.js';
import { type AccessTracking, trackAccess } from './access-tracking.js';
import type { Exchange } from './exchange.js';
import type { PageRoute } from './page-route.js';
import type { AccessReport, Reads } from './read-log.js';

const NOTHING: Reads = { identity: [], headers: [] };

/** The watch over what one run of a handler reads of its request, and what follows from it for its page. */
export class PageAccess {
  private readonly tracking: AccessTracking;
  private readonly readByVaryOn: Reads;

  constructor(
    { request, response }: Exchange,
    private readonly route: PageRoute,
    private readonly ignored: readonly string[],
  ) {
    const { cookies } = route.declared;
    this.tracking = trackAccess(request, response, { cookies });
    const { varyOn } = route;
    this.readByVaryOn =
      varyOn === undefined ? NOTHING : this.tracking.readsOf(() => varyOn(request as never));
  }

  /** Whether the page may be stored, and what must join its `Vary`: by what was read so far. */
  verdict(): AccessVerdict {
    const { user, declared } = this.route;
    return judgeAccess(this.report(), {
      user: user !== undefined,
      headers: declared.headers,
      varyOn: this.readByVaryOn,
      ignored: this.ignored,
    });
  }

  report(): AccessReport {
    return this.tracking.report();
  }

  /** Runs something of the route's own, whose reads are not the handler's. */
  aside<T>(run: () => T): T {
    let result!: T;
    this.tracking.readsOf(() => (result = run()));
    return result;
  }

  stop(): void {
    this.tracking.stop();
  }
}
