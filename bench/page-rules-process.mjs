// Hits on routes with one rule each. Requests do not go over the network, so that the rules are not lost in it. Decorators are
// applied by hand: this is not compiled.
import 'reflect-metadata';
import { Controller, Get, Module, Res } from '@nestjs/common';
import inject from 'light-my-request';
import { CachePage, CachingModule } from 'nestjs-caching';
import { compare } from './compare.mjs';
import { createApplication } from './application.mjs';

const [platform, rounds] = process.argv.slice(2);
const COUNT = 3000;

/** Name, options of the route, target and headers of the request. */
const RULES = [
  ['none', {}],
  ['three query parameters, put in order', {}, '?c=3&a=1&b=2'],
  ['query: { only }, and one parameter hidden', { query: { only: ['a'] } }, '?a=1&utm_source=x'],
  ['cookies that name no session', {}, '', { cookie: 'theme=dark; consent=yes' }],
  ['vary: a header', { vary: ['accept-language'] }, '', { 'accept-language': 'de' }],
  ['varyOn', { varyOn: ({ headers }) => headers['x-tenant'] }, '', { 'x-tenant': 'a' }],
  ['user', { user: ({ headers }) => headers.authorization }, '', { authorization: 'Bearer a' }],
  ['Vary of the response: a second look', { varies: true }, '', { 'x-mode': 'a' }],
  ['three tags', { tags: ['a', 'b', 'c'] }],
  ['staleWhileRevalidate', { staleWhileRevalidate: '1h' }],
  ['clientTtl', { clientTtl: '1m' }],
  ['304 for If-None-Match', {}, '', { 'if-none-match': '*' }],
];

function controllerOf(name, { varies, ...options }, index) {
  class Pages {
    page(response) {
      if (varies) response.header('vary', 'X-Mode');
      return { name, items: Array.from({ length: 60 }, (_, id) => ({ id, price: id * 1.5 })) };
    }
  }
  const descriptor = Object.getOwnPropertyDescriptor(Pages.prototype, 'page');
  Res({ passthrough: true })(Pages.prototype, 'page', 0);
  Get()(Pages.prototype, 'page', descriptor);
  CachePage('1h', options)(Pages.prototype, 'page', descriptor);
  Controller(`rule-${index}`)(Pages);
  return Pages;
}

async function open(pages) {
  class App {}
  const controllers = RULES.map(([name, options], index) => controllerOf(name, options, index));
  Module({ imports: [CachingModule.forRoot({ pages })], controllers })(App);
  const app = await createApplication(platform, App);
  await app.init();
  if (platform === 'fastify') await app.getHttpAdapter().getInstance().ready();
  const server = app.getHttpServer();
  return (request) => inject((incoming, response) => server.emit('request', incoming, response), request);
}

async function hit(send, index) {
  const [name, , query = '', headers = {}] = RULES[index];
  const request = {
    method: 'GET',
    url: `/rule-${index}${query}`,
    headers: { host: 'localhost', ...headers },
  };
  for (let i = 0; i < 3; i += 1) await send(request);
  const { headers: sent } = await send(request);
  if (sent.age === undefined) throw new Error(`${name} is no hit`);
  return async (n) => {
    for (let i = 0; i < n; i += 1) await send(request);
  };
}

const plain = await open({});
const telling = await open({ cacheStatus: 'bench' });
const subjects = [];
for (const [index, [name]] of RULES.entries()) subjects.push([name, await hit(plain, index)]);
subjects.push(['cacheStatus', await hit(telling, 0)]);
await compare(`Rules of a page, on hits on ${platform}`, ['no rule'], subjects, COUNT, Number(rounds));
process.exit();
