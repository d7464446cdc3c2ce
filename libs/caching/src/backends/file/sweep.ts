import type { Clock } from '../../clock.js';

/** Does something again and again in the background, each time so long after the last one ended. */
export class Sweep {
  private cancel: (() => void) | undefined;
  private isStopped = false;
  private isStarted = false;

  /** @param intervalMs milliseconds; 0 never */
  constructor(
    private readonly clock: Clock,
    private readonly intervalMs: number,
    private readonly work: () => Promise<unknown>,
  ) {}

  /** Begins, if it has not yet. */
  start(): void {
    if (this.isStarted || this.isStopped || this.intervalMs === 0) return;
    this.isStarted = true;
    this.schedule();
  }

  stop(): void {
    this.isStopped = true;
    this.cancel?.();
  }

  private schedule(): void {
    if (this.isStopped) return;
    this.cancel = this.clock.after(this.intervalMs, () => {
      const again = (): void => this.schedule();
      // Nobody waits for a sweep. What is wrong with the disk is told to whoever reads or writes next.
      this.work().then(again, again);
    });
  }
}
