// node bench/page-bounds.mjs [express] [fastify] [share]: what clients can make a page cache keep. After each
// flood the entries and bytes of the cache, and the memory of the process before, at its highest, and after. `share` is a
// number: that part of the full size. Needs `npm run build`.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { table } from './table.mjs';

const CONNECTIONS = 32;
/** So many requests are under way on each connection. */
const PIPELINED = 16;
const MIB = 2 ** 20;

const share = Number(process.argv.find((argument) => /^[\d.]+$/.test(argument)) ?? 1);
const wanted = ['express', 'fastify'].filter((platform) => process.argv.includes(platform));

const FLOODS = [
  ['queries', 200_000, (index) => ['/page?q=' + index, 'a.example', '']],
  ['values of Vary', 100_000, (index) => ['/varied', 'a.example', `X-Variant: ${index}\r\n`]],
  ['hosts', 100_000, (index) => ['/page', `host-${index}.example`, '']],
  ['targets of 12 kB', 20_000, (index) => [`/page?q=${'a'.repeat(12_000)}${index}`, 'a.example', '']],
  [
    // No multiple of a round number, at which a map that clears itself would look bounded.
    'refused targets of 12 kB',
    19_000,
    (index) => [`/refused/1?q=${'a'.repeat(12_000)}${index}`, 'a.example', ''],
  ],
  ['refused paths', 100_000, (index) => [`/refused/${index}`, 'a.example', '']],
  ['bodies of 200 MB', 5, () => ['/large', 'a.example', '']],
];

for (const platform of wanted.length > 0 ? wanted : ['express', 'fastify']) {
  const rows = [];
  for (const [what, full, requestOf] of FLOODS) {
    const count = Math.max(1, Math.round(full * share));
    // A process for each, so that none stands on the memory of another.
    const child = fork(new URL('./bounds-server.mjs', import.meta.url), [platform], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: ['--expose-gc'],
    });
    const [{ url }] = await once(child, 'message');
    await flood(url, 500, (index) => ['/page?warm=' + (index % 10), 'a.example', '']);
    const before = await look(child);
    await flood(url, count, requestOf);
    const after = await look(child);
    child.disconnect();
    await once(child, 'exit');
    const sizes = [after.bytes, before.rss, after.peak, after.rss, before.heapUsed, after.heapUsed];
    rows.push([what, count, after.entries, ...sizes.map((bytes) => (bytes / MIB).toFixed(1))]);
  }
  table(
    `Bounds on ${platform}: at most 100,000 entries and 64 MiB; sizes in MiB`,
    ['flood', 'sent', 'entries', 'bytes', 'RSS before', 'RSS peak', 'RSS after', 'heap before', 'heap after'],
    rows,
  );
}
process.exit();

async function look(child) {
  child.send('look');
  return (await once(child, 'message'))[0];
}

async function flood(url, count, requestOf) {
  let sent = 0;
  const next = () => (sent < count ? requestOf(sent++) : undefined);
  const connections = Math.min(CONNECTIONS, count);
  await Promise.all(Array.from({ length: connections }, () => work(url, next, count < 100 ? 1 : PIPELINED)));
}

/** Sends over one connection and counts the heads that come back; every body of this application has a fixed end. */
function work(url, next, depth) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let open = 0;
    let tail = '';
    const fill = () => {
      while (open < depth) {
        const request = next();
        if (request === undefined) break;
        const [target, host, headers] = request;
        open += 1;
        socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\n`);
      }
      if (open === 0) socket.end(resolve);
    };
    socket.on('error', reject).on('connect', fill);
    socket.on('data', (chunk) => {
      if (depth === 1) {
        // Large bodies come in chunks, and end in an empty one.
        tail = (tail + chunk.subarray(-5).toString('latin1')).slice(-5);
        if (tail !== '0\r\n\r\n') return;
        open -= 1;
      } else {
        const text = tail + chunk.toString('latin1');
        open -= text.split('HTTP/1.1 200 OK\r\n').length - 1;
        // A head may be cut anywhere; what was counted must not be counted again.
        const last = text.lastIndexOf('HTTP/1.1 200 OK\r\n');
        tail = text.slice(last === -1 ? -20 : Math.max(last + 17, text.length - 20));
      }
      fill();
    });
  });
}
