import type { Type } from '@nestjs/common';

/** As Nest hands it out. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type
export type Handler = Function;

/** Something for each handler of each controller, made once. Controllers share the handlers that they inherit. */
export class PerHandler<T> {
  private readonly known = new WeakMap<Handler, Map<Type, T>>();

  constructor(private readonly make: (handler: Handler, controller: Type) => T) {}

  of(handler: Handler, controller: Type): T {
    let values = this.known.get(handler);
    if (values === undefined) this.known.set(handler, (values = new Map<Type, T>()));
    let value = values.get(controller);
    if (value === undefined) values.set(controller, (value = this.make(handler, controller)));
    return value;
  }
}
