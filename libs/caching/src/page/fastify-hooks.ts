import type { FastifyReply, FastifyRequest } from './platform.js';

type Hook = (
  request: FastifyRequest,
  reply: FastifyReply,
  /** A payload, or an error. */
  given: unknown,
  done: (error?: null, payload?: unknown) => void,
) => void;

/** The part of a Fastify instance that takes hooks. */
export interface FastifyHooks {
  addHook(name: 'onSend' | 'onError', hook: Hook): unknown;
}

/** What waits for the payload of a reply, and may put another in its place. */
type PayloadWatch = (payload: unknown) => unknown;
const watches = new WeakMap<object, PayloadWatch>();

/** Shows the payload of a reply once it is text, bytes, a stream or nothing, and again when an error takes its place. */
export function watchPayload(reply: object, watch: PayloadWatch): void {
  const earlier = watches.get(reply);
  watches.set(reply, earlier === undefined ? watch : (payload) => watch(earlier(payload)));
}

/** What makes replies speak again whose page has gone out already. */
const restorers = new WeakMap<object, () => void>();

/** Names what is to be done if a reply fails whose page has been handed over: hooks of the application may still fail. */
export function restoreOnError(reply: object, restore: () => void): void {
  restorers.set(reply, restore);
}

/** Hooks into Fastify. Called once, before the routes take their hooks. */
export function installHooks(instance: FastifyHooks): void {
  installPayloadHook(instance);
  instance.addHook('onError', (_request, reply, _error, done) => {
    const restore = restorers.get(reply);
    if (restore === undefined) return done();
    // By then Nest, too, has sent what it sends after a page: that must come to nothing, the answer to the error must not.
    setImmediate(() => {
      restore();
      done();
    });
  });
}

/**
 * Puts a hook before all others that see payloads, whenever those are added: what the application's make of a page would be
 * stored, and they make it again on each hit.
 */
function installPayloadHook(instance: FastifyHooks): void {
  const hook: Hook = (_request, reply, payload, done) => {
    const watch = watches.get(reply);
    done(null, watch === undefined ? payload : watch(payload));
  };
  // `addHook` puts hooks behind those that are there already, which are all that `main.ts` has added.
  const onSend = hooksOf(instance)?.onSend;
  if (Array.isArray(onSend)) onSend.unshift(hook);
  else instance.addHook('onSend', hook);
}

/** The lists of hooks that Fastify keeps of an instance, under a symbol that it does not export. */
function hooksOf(instance: object): { readonly onSend?: unknown } | undefined {
  const [symbol] = Object.getOwnPropertySymbols(instance).filter(
    ({ description }) => description === 'fastify.hooks',
  );
  return symbol && (Reflect.get(instance, symbol) as { readonly onSend?: unknown });
}
