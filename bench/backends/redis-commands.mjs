/** What the server was sent during a call, as `3 GET`. */
export async function commandsOf(client, call) {
  await client.configResetStat();
  await call();
  const stats = [...(await client.info('commandstats')).matchAll(/cmdstat_(\S+?):calls=(\d+)/g)];
  return stats
    .filter(([, command]) => !/^(config|info|ping)/.test(command))
    .map(([, command, times]) => `${times} ${command.toUpperCase()}`);
}
