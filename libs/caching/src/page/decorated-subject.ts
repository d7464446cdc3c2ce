import { InvalidDecorationError } from '../errors.js';

/** As decorators of Nest take it. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-function-type
type Subject = Function;

/**
 * What a decorator of pages stands on: a method of a controller, or a controller class.
 *
 * @throws InvalidDecorationError for fields and accessors
 */
export function decoratedSubject(
  decorator: string,
  target: object,
  key: string | symbol | undefined,
  descriptor: PropertyDescriptor | undefined,
): Subject {
  const subject: unknown = key === undefined ? target : descriptor?.value;
  if (typeof subject === 'function') return subject;
  throw new InvalidDecorationError(
    `@${decorator} goes on a method of a controller, or on a controller class.`,
  );
}
