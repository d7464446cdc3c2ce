/** A barrier: what waits for `opened` goes on when somebody calls `open`. */
export interface Gate<T = void> {
  readonly open: (value: T) => void;
  readonly opened: Promise<T>;
}

export function gate<T = void>(): Gate<T> {
  let open!: (value: T) => void;
  const opened = new Promise<T>((resolve) => (open = resolve));
  return { open, opened };
}

/** A factory that says when it has begun and goes on when it may. */
export function heldFactory<T>(value: T): {
  readonly factory: () => Promise<T>;
  readonly started: Promise<void>;
  readonly finish: () => void;
  readonly runs: () => number;
} {
  const started = gate();
  const finish = gate();
  let runs = 0;
  return {
    factory: async () => {
      runs += 1;
      started.open();
      await finish.opened;
      return value;
    },
    started: started.opened,
    finish: finish.open,
    runs: () => runs,
  };
}
