import { isRestrictive, patchAnswer } from './cache-control-patch.js';
import type { Validators } from './conditional.js';
import { type DeclaredHeaders, declaredVary } from './header-metadata.js';
import { formatHttpDate } from './http-date.js';
import { appendVary } from './vary.js';

/** The headers of one response before it leaves. */
export interface ResponseHeaders {
  readonly method: string;
  readonly status: number;
  /** By lower-case name; several lines are joined by `, `. */
  get(name: string): string | undefined;
  set(name: string, value: string): void;
  remove(name: string): void;
}

interface Written {
  readonly theirs: string | undefined;
  readonly ours: string | undefined;
}

/** What `@NeverCache` sends. */
const NEVER_CACHED = 'max-age=0, no-cache, no-store, must-revalidate, private';

/** From this status on, an answer gets only what restricts caches: nobody meant an error to be kept for a week. */
const FIRST_ERROR = 400;

/**
 * Writes what the decorators of a route say into one response. It may be applied again when the response has changed since,
 * for instance into an error: each time it starts from what others have set.
 */
export class HeaderPatch {
  /** What `@Condition` found out. */
  validators: Validators | undefined;

  private readonly written = new Map<string, Written>();
  private readonly now: string;

  constructor(
    private readonly headers: ResponseHeaders,
    private readonly declared: DeclaredHeaders,
    now: number = Date.now(),
  ) {
    this.now = formatHttpDate(now);
  }

  apply(): void {
    const { declared } = this;
    if (declared.isNeverCached) {
      this.write('cache-control', () => NEVER_CACHED);
      this.write('expires', (theirs) => theirs ?? this.now);
    } else if (declared.cacheControl.length > 0) {
      this.write('cache-control', (theirs) => this.cacheControl(theirs));
    }
    const vary = declaredVary(declared);
    if (vary.length > 0) this.write('vary', (theirs) => appendVary(theirs, vary));
    if (this.validators !== undefined) this.describe(this.validators);
  }

  private cacheControl(theirs: string | undefined): string | undefined {
    const isError = this.headers.status >= FIRST_ERROR;
    return this.declared.cacheControl
      .map((directives) => (isError ? directives.filter(isRestrictive) : directives))
      .filter((directives) => directives.length > 0)
      .reduce<string | undefined>(patchAnswer, theirs);
  }

  /** Only what was read successfully has the tag and the date of the representation. */
  private describe({ etag, lastModified }: Validators): void {
    const { method, status } = this.headers;
    const isRead =
      (method === 'GET' || method === 'HEAD') && ((status >= 200 && status < 300) || status === 304);
    const date = lastModified === undefined ? undefined : formatHttpDate(lastModified);
    this.write('etag', (theirs) => theirs ?? (isRead ? etag : undefined));
    this.write('last-modified', (theirs) => theirs ?? (isRead ? date : undefined));
  }

  private write(name: string, change: (theirs: string | undefined) => string | undefined): void {
    const current = this.headers.get(name);
    const earlier = this.written.get(name);
    const theirs = earlier !== undefined && current === earlier.ours ? earlier.theirs : current;
    const ours = change(theirs);
    if (ours !== current) {
      if (ours === undefined) this.headers.remove(name);
      else this.headers.set(name, ours);
    }
    this.written.set(name, { theirs, ours });
  }
}
