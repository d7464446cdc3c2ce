import { types } from 'node:util';
import { UnserializableValueError } from '../errors.js';
import { builtInName, classNameOf } from './classes.js';

/** The remedy where nothing better can be said. */
const PLAIN_DATA =
  'Leave it out, or store what it stands for. A cache keeps plain objects, arrays, Date, Map, Set, bigint and binary data.';
const CLASS_INSTANCE =
  "Store a plain object ({ ...entity }, or a mapping of the fields that you need), name the class in `converters` of the cache, or set classInstances: 'plain' there: " +
  'own fields only, the prototype is lost, and with it what a class serializer would have hidden.';

/** How many steps of a path a message shows. */
const SHOWN_STEPS = 20;
/** How many characters of a property name a message shows. */
const SHOWN_NAME = 60;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

/**
 * Where a walk stands: `containers[i]` is entered and `steps[i]` is the property, the index, or for a Map or a Set the
 * position taken from there. A Map counts keys and values: 0 is its first key, 1 its first value.
 */
export interface Position {
  readonly containers: readonly object[];
  readonly steps: readonly (string | number | symbol)[];
}

/** The error for what stands at a position. */
export function refusal(position: Position, found: string, remedy: string): UnserializableValueError {
  return new UnserializableValueError(formatPath(position), found, remedy);
}

/** {@link refusal} for a value that is of the wrong kind. */
export function refusalOf(position: Position, value: unknown): UnserializableValueError {
  if (typeof value === 'symbol') return refusal(position, 'a symbol', PLAIN_DATA);
  if (typeof value !== 'object' || value === null) return refusal(position, 'a function', PLAIN_DATA);
  if (types.isPromise(value)) {
    return refusal(position, 'a Promise (was an await forgotten?)', 'Await it, and store what it gives.');
  }
  const builtIn = builtInName(value);
  if (builtIn !== undefined) return refusal(position, withArticle(builtIn), PLAIN_DATA);
  return instanceRefusal(position, value);
}

/** The error for an instance of a class of the application, possibly one that extends a built-in class. */
export function instanceRefusal(position: Position, value: object): UnserializableValueError {
  const name = classNameOf(value);
  const found = name === undefined ? 'an object with a prototype of its own' : `an instance of ${name}`;
  return refusal(position, found, CLASS_INSTANCE);
}

/** The error for an object that contains itself. */
export function cycleRefusal(position: Position, ancestor: number): UnserializableValueError {
  const target = formatPath({ containers: position.containers, steps: position.steps.slice(0, ancestor) });
  return refusal(
    position,
    `a reference back to ${target} (a cycle)`,
    'Store an id in its place, or leave it out.',
  );
}

/** The error for a property beside the elements of an array, Date, Map or Set. */
export function namedPropertyRefusal(position: Position): UnserializableValueError {
  const container = position.containers.at(-1);
  const kind = container === undefined ? 'value' : (builtInName(container) ?? 'value');
  return refusal(
    position,
    `a property set on ${withArticle(kind)}`,
    'Copy the contents without it ([...array], new Map(map)), or wrap both in an object.',
  );
}

/** `value.items[3].callback`; the entries of a Map and a Set go by position, since their keys are data. */
function formatPath({ containers, steps }: Position): string {
  const shown = steps.slice(0, SHOWN_STEPS).map((step, index) => formatStep(step, containers[index]));
  const hidden = steps.length - shown.length;
  return `value${shown.join('')}${hidden > 0 ? `… (${hidden} steps more)` : ''}`;
}

function formatStep(step: string | number | symbol, container: object | undefined): string {
  if (typeof step === 'symbol') return `[${shorten(step.toString())}]`;
  if (typeof step === 'string')
    return IDENTIFIER.test(step) ? `.${shorten(step)}` : `[${JSON.stringify(shorten(step))}]`;
  if (types.isMap(container)) return `.${step % 2 === 0 ? 'keys' : 'values'}()[${step >> 1}]`;
  return types.isSet(container) ? `.values()[${step}]` : `[${step}]`;
}

function shorten(name: string): string {
  return name.length > SHOWN_NAME ? `${name.slice(0, SHOWN_NAME)}…` : name;
}

function withArticle(name: string): string {
  return `${/^[AEIO]/i.test(name) ? 'an' : 'a'} ${name}`;
}
