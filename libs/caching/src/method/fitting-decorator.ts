/** What options may have, and nothing else: a name that is misspelled does not compile. */
export type Exactly<Options, Allowed> = Options & {
  readonly [K in Exclude<keyof Options, keyof Allowed>]: never;
};

/**
 * The decorator of a method that answers a promise, where the functions in the options take the method's arguments, its
 * result and its class.
 */
export type MethodCacheDecorator<Options extends object = object> = <
  This extends ThisIn<Options>,
  Method extends (...args: never[]) => Promise<ResultIn<Options>>,
>(
  target: This,
  method: string | symbol,
  descriptor: TypedPropertyDescriptor<Method> & TakesArguments<Options, Parameters<Method>>,
) => void;

/** The same for a method that takes a list of ids first, and answers for each of them. */
export type BatchCacheDecorator<Options extends object = object> = <
  This extends ThisIn<Options>,
  Method extends (ids: never[], ...args: never[]) => Promise<BatchAnswer<Options>>,
>(
  target: This,
  method: string | symbol,
  descriptor: TypedPropertyDescriptor<Method> & TakesArguments<Options, ArgumentsOfOne<Parameters<Method>>>,
) => void;

/** What a batch method answers, by what the options say. */
type BatchAnswer<Options> = Options extends { readonly answers: 'array' }
  ? readonly (ResultIn<Options> | undefined)[]
  : ReadonlyMap<unknown, ResultIn<Options>>;

/** The arguments for one id out of a list. */
type ArgumentsOfOne<Args extends unknown[]> = Args extends [readonly (infer Id)[], ...infer Rest]
  ? [Id, ...Rest]
  : never;

/** What the functions in the options demand of `this`. */
type ThisIn<Options> = object & Every<{ [K in keyof Options]: ThisParameterType<Options[K]> }>;

/** What the functions in the options that see the result demand of it. */
type ResultIn<Options> = Every<{
  [K in keyof Options & ResultFunction]: Options[K] extends (
    this: never,
    result: infer Result,
    ...args: never[]
  ) => unknown
    ? Result
    : unknown;
}>;

type ResultFunction = 'unless' | 'resultTags' | 'resultKey';

/** The intersection of the types of all properties; `unknown` of none. */
type Every<Types> = {
  [K in keyof Types]: (each: Types[K]) => void;
}[keyof Types] extends (each: infer All) => void
  ? All
  : unknown;

/** Nothing, if the functions in the options take these arguments; else something that no descriptor has. */
type TakesArguments<Options, Args extends unknown[]> =
  Pick<Options, keyof Options & keyof ArgumentFunctions<Args>> extends ArgumentFunctions<Args>
    ? unknown
    : Misfit;

interface ArgumentFunctions<Args extends unknown[]> {
  readonly key?: (this: never, ...args: Args) => unknown;
  readonly condition?: (this: never, ...args: Args) => unknown;
  readonly tags?: readonly string[] | ((this: never, ...args: Args) => unknown);
  readonly unless?: (this: never, result: never, ...args: Args) => unknown;
  readonly resultTags?: (this: never, result: never, ...args: Args) => unknown;
  readonly resultKey?: (this: never, result: never, ...args: Args) => unknown;
}

interface Misfit {
  readonly 'The functions in the options do not take the arguments of this method': never;
}
