import type { FastifyReply, FastifyRequest } from './platform.js';

type OnSend = (
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: (error: null, payload: unknown) => void,
) => void;

/** The part of a Fastify instance that takes hooks. */
export interface FastifyHooks {
  addHook(name: 'onSend', hook: OnSend): unknown;
}

/** What waits for the payload of a reply, and may put another in its place. */
type PayloadWatch = (payload: unknown) => unknown;
const watches = new WeakMap<object, PayloadWatch>();

/** Shows the payload of a reply once it is text, bytes, a stream or nothing, and again when an error takes its place. */
export function watchPayload(reply: object, watch: PayloadWatch): void {
  const earlier = watches.get(reply);
  watches.set(reply, earlier === undefined ? watch : (payload) => watch(earlier(payload)));
}

/**
 * Puts a hook before all others that see payloads, whenever those are added: what the application's make of a page would be
 * stored, and they make it again on each hit. Called once, before the routes take their hooks.
 */
export function installPayloadHook(instance: FastifyHooks): void {
  const hook: OnSend = (_request, reply, payload, done) => {
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
