process.argv[3] = '@CachePage, memory';
await import('./page-server.mjs');
process.on('message', (message) => {
  if (message !== 'heap') return;
  global.gc();
  process.send({ heap: process.memoryUsage().heapUsed });
});
