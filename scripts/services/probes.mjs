import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** How long one question to a server may take, in milliseconds. */
const PATIENCE = 2000;

/** Each probe answers the version of the server at a URL, or rejects if none is ready there. */
export async function redis(url) {
  const { hostname, port, protocol, username, password } = new URL(url);
  const login = username === '' ? [password] : [username, password].map(decodeURIComponent);
  const commands = [...(password === '' ? [] : [['AUTH', ...login]]), ['INFO', 'server']];
  const answer = await ask(
    { host: hostname, port: Number(port || 6379), isTls: protocol === 'rediss:' },
    commands.map(toResp).join(''),
    (text) => /^-|redis_version:\S+\r\n/m.test(text),
  );
  return versionIn(answer, /redis_version:(\S+)/);
}

export async function memcached(url) {
  const { hostname, port } = new URL(url);
  const answer = await ask({ host: hostname, port: Number(port || 11211) }, 'version\r\n', (text) =>
    text.includes('\r\n'),
  );
  return versionIn(answer, /^VERSION (\S+)/);
}

export async function postgres(url) {
  const { default: pg } = await import('pg');
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: PATIENCE,
    query_timeout: PATIENCE,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query('show server_version');
    return rows[0].server_version.split(' ')[0];
  } finally {
    await client.end().catch(() => {});
  }
}

export async function mariadb(url) {
  const { createConnection } = await import('mysql2/promise');
  const connection = await createConnection({ uri: url, connectTimeout: PATIENCE });
  try {
    const [rows] = await connection.query({ sql: 'select version() as version', timeout: PATIENCE });
    return rows[0].version.split('-')[0];
  } finally {
    connection.destroy();
  }
}

const toResp = (words) =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;

function versionIn(answer, pattern) {
  const version = pattern.exec(answer)?.[1];
  if (version === undefined) throw new Error(`unexpected answer: ${answer.slice(0, 200)}`);
  return version;
}

function ask({ host, port, isTls = false }, question, isComplete) {
  return new Promise((resolve, reject) => {
    const socket = isTls ? connectTls({ host, port, servername: host }) : connect({ host, port });
    const fail = (error) => {
      socket.destroy();
      reject(error);
    };
    let answer = '';
    socket.setTimeout(PATIENCE, () => fail(new Error('no answer')));
    socket.once('error', fail);
    socket.once('close', () => fail(new Error('the connection was closed')));
    socket.on('data', (chunk) => {
      answer += chunk;
      if (!isComplete(answer)) return;
      resolve(answer);
      socket.destroy();
    });
    socket.write(question);
  });
}
