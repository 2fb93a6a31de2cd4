/** Texts of the commands that run the roles: help first, then what they say. */
export const englishRolesHelp = {
  'group.roles': 'Server and hosts',
  'option.config': 'settings (default: /etc/openmaas/server.yaml, conf.d/*.yaml beside it)',
  'option.data': 'where everything is kept (default: /var/lib/openmaas)',
  'option.listen': 'the API and the console (default: 127.0.0.1:8730)',
  'option.http': 'plain HTTP: on loopback, or behind a proxy that speaks TLS',
  'option.names': 'by which people and hosts reach this machine',
  'option.channel-listen': 'where agents and nodes call in (default: 127.0.0.1:8731)',
  'option.data-listen': 'where agents send data (default: 127.0.0.1:8732)',
  'option.nbd-listen': 'where hosts attach media (default: 127.0.0.1:8733)',
  'option.catalog-url-file': 'file that holds postgres://…; else SQLite in the data directory',
  'option.no-pool': 'make no pool at the first start',
  'option.metrics-public': '/metrics without a token',
  'option.console-root': 'built files of the console',
  'option.allow-restore': 'points may be restored to this machine (default: yes)',
  'option.allow-mount': 'media may be mounted on this machine (default: yes)',
  'option.paths-only': 'read, restore and mount nothing outside of these directories',
  'option.log-level': 'trace, debug, info, warn, error or silent (default: info)',
  'option.log-format': 'auto, json or human (default: auto)',

  'serve.summary': 'run the server: catalog, schedule, API, a storage node and an agent',
  'serve.help': `Everything in one process, on one machine. At the first start it makes its data
directory, a pool in it, and the user admin, whose password is shown once.

It listens on loopback unless it is told otherwise. What is given as a flag may also stand in
/etc/openmaas/server.yaml (dataListen: 0.0.0.0:8732) or in the environment
(OPENMAAS_DATA_LISTEN). Ctrl-C or SIGTERM ends it; work under way goes on at the next start.`,
} as const

export const englishRolesRun = {
  'serve.ready': `OpenMaaS is at {url}
fingerprint {fingerprint}`,
  'serve.login': `log in as {name} with the password {password}
(it is shown this once, and has to be changed)`,
  'serve.pool': `pool {path}, passphrase {passphrase}
(write it down: without it and this machine nobody opens the pool)`,
  'serve.secretsFile': 'login and passphrase are in {file}; read it, then delete it',
  'serve.next': `Next: openmaas login {url}
      openmaas source add /path
      openmaas host token   (one line that lets another machine join at {channel})`,
} as const
