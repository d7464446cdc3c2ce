/** What was read of a request, each name once. */
export interface Reads {
  /** Of the person or the connection: `user`, `session`, `cookies`, `ip`, … and properties that middleware added. */
  readonly identity: readonly string[];
  /** Lower-case names of request headers. */
  readonly headers: readonly string[];
}

/** What was read until the reply began, and by a body that was still being made after that. */
export interface AccessReport extends Reads {
  readonly late: Reads;
}

/** When a read happens: until the reply begins, while its body is being made, or after everything. */
type Phase = 'early' | 'late' | 'over';

/** Notes reads of one request, except those that the platform makes for itself. */
export class ReadLog {
  private phase: Phase = 'early';
  private muted = 0;
  private aside: ReadSet | undefined;
  private readonly early = new ReadSet();
  private readonly late = new ReadSet();

  /** A read that tells whose request it is. */
  identity(name: string): void {
    if (!this.isMuted) this.current.identity.add(name);
  }

  /** A read of a header; names are lower case. */
  header(name: string): void {
    if (!this.isMuted) this.current.headers.add(name);
  }

  private get current(): ReadSet {
    return this.aside ?? (this.phase === 'early' ? this.early : this.late);
  }

  /** Whether what is read now is read by the platform, or after everything. */
  get isMuted(): boolean {
    return this.muted > 0 || this.phase === 'over';
  }

  /** Runs something whose reads are not the handler's. */
  unnoticed<T>(run: () => T): T {
    this.muted++;
    try {
      return run();
    } finally {
      this.muted--;
    }
  }

  /** What something reads by itself; none of it counts as a read of the handler's. */
  readsOf(run: () => unknown): Reads {
    const aside = (this.aside = new ReadSet());
    try {
      run();
    } finally {
      this.aside = undefined;
    }
    return aside.list();
  }

  /** The head of the response is going out; the body may still be in the making. */
  beginBody(): void {
    if (this.phase === 'early') this.phase = 'late';
  }

  /** Nothing is noted from now on. */
  end(): void {
    this.phase = 'over';
  }

  report(): AccessReport {
    return { ...this.early.list(), late: this.late.list() };
  }
}

class ReadSet {
  readonly identity = new Set<string>();
  readonly headers = new Set<string>();

  list(): Reads {
    return { identity: [...this.identity], headers: [...this.headers] };
  }
}
