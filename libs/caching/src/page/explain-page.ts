import { hash } from 'node:crypto';
import { type ExplainedSight, lookToExplain } from '../cache/explain-held.js';
import { getOrSetOf, whyNotFresh } from '../cache/explain-reads.js';
import { idOf, type PageCall } from './page-call.js';
import type {
  HeldPageExplanation,
  PageAction,
  PageExplanation,
  PageKeyExplanation,
  VariantsExplanation,
} from './page-explanation.js';
import { addressOf } from './page-loads.js';
import { asksForReload, forbidsStoring } from './page-policy.js';
import { isDirectory, type PageRecord } from './page-record.js';
import type { Refusals } from './refusals.js';
import { digestFor, variantDigest, type VariantDirectory, variantKey } from './variant-directory.js';

type Would = PageExplanation['would'];

/** What the loader of values does, in the words of pages. */
const ACTIONS = {
  answer: 'replay',
  'answer and refresh': 'replay and refresh',
  wait: 'wait',
  load: 'run',
} as const satisfies Record<string, PageAction>;

/** The segments of a key before those that say what else tells pages apart: route, scheme, host and target. */
const ADDRESS_SEGMENTS = 4;

/** How the key of an eligible request is built, what is stored there, and what the request would do. @throws BackendError */
export async function explainPage(
  call: PageCall,
  refusals: Refusals,
): Promise<Omit<PageExplanation, 'route'>> {
  const { engine } = call.route.cache;
  const atKey = await lookToExplain(engine, addressOf(call.segments));
  const { sight } = atKey;
  const record = sight.freshness === 'fresh' && typeof sight.held === 'object' ? sight.held.value : undefined;
  const directory = record !== undefined && isDirectory(record) ? record : undefined;
  const digest = directory && digestFor(directory, call.exchange.headers);
  const shown =
    digest === undefined ? atKey : await lookToExplain(engine, addressOf(variantKey(call.segments, digest)));
  const variants = directory && variantsOf(directory, call);
  const refused = refusals.reasonOf(idOf(call));
  return {
    key: keyOf(call),
    held: heldPage(shown),
    ...(variants !== undefined && { variants }),
    ...(refused !== undefined && { refused }),
    would: wouldDo(call, shown, variants, refused),
  };
}

function keyOf(call: PageCall): PageKeyExplanation {
  const { exchange, route, target, segments } = call;
  const parts = segments.split(':').slice(ADDRESS_SEGMENTS);
  return {
    cache: route.cache.service.name,
    scheme: exchange.scheme,
    host: exchange.host,
    target,
    droppedParameters: route.query.dropped(exchange.target),
    headers: route.declared.headers,
    cookies: route.declared.cookies,
    isOfUser: parts.some((part) => part.startsWith('@user=')),
    hasVaryOn: route.varyOn !== undefined,
    isRewritten: parts.some((part) => part.startsWith('@url=')),
    digest: hash('sha256', idOf(call), 'base64url'),
  };
}

function heldPage({ sight, held }: ExplainedSight<PageRecord>): HeldPageExplanation {
  const { what, codec: _codec, isCompressed: _isCompressed, ...common } = held;
  if (what !== 'value') return { ...common, what: what === 'counter' ? 'foreign' : what };
  const record = typeof sight.held === 'object' ? sight.held.value : undefined;
  // A list of variants that is not current is as good as nothing.
  if (record === undefined || isDirectory(record)) return { what: 'nothing' };
  return { ...common, what: 'page', status: record.status };
}

function variantsOf({ variants }: VariantDirectory, { exchange }: PageCall): VariantsExplanation {
  const lists = new Map(variants.map(({ names }) => [names.join(), names]));
  return {
    count: variants.length,
    vary: [...lists.values()],
    isMatched: variants.some(({ names, digest }) => variantDigest(exchange.headers, names) === digest),
  };
}

/** As the interceptor goes on from a look, in its order. */
function wouldDo(
  { exchange, route }: PageCall,
  { sight, now, isLeased, isChangePending }: ExplainedSight<PageRecord>,
  variants: VariantsExplanation | undefined,
  refused: string | undefined,
): Would {
  const { method, headers } = exchange;
  const isReload = route.honorsNoCache && asksForReload(headers);
  if (sight.freshness === 'fresh' && !isReload) return { do: 'replay', because: 'a fresh page is stored' };
  const whyNot = isReload
    ? 'the client asks for a new answer, and the route has `honorNoCache`'
    : variants?.isMatched === false
      ? 'no variant is for the values that this request has'
      : whyNotFresh(sight, now, isChangePending);
  if (method !== 'GET')
    return { do: 'bypass', because: `${whyNot}, and the answer to ${method} is not stored` };
  if (forbidsStoring(headers))
    return {
      do: 'bypass',
      because: `${whyNot}, and the request's Cache-Control forbids to store the answer`,
    };
  if (isReload) return { do: 'run', because: whyNot };
  if (refused !== undefined)
    return { do: 'run', because: `${whyNot}, and the last response could not be stored: ${refused}` };
  const { does, because } = getOrSetOf(sight, now, isLeased);
  return { do: ACTIONS[does], because: because === 'nothing is usable' ? whyNot : because };
}
