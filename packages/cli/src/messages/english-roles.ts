/** Texts of the commands that run the roles: help first, then what they say. */
export const englishRolesHelp = {
  'group.roles': 'Server and hosts',
  'option.config': 'settings (default: server.yaml, agent.yaml or node.yaml in /etc/openmaas)',
  'option.data': 'where everything is kept (default: /var/lib/openmaas)',
  'option.listen': 'the API and the console (default: 127.0.0.1:8730)',
  'option.http': 'plain HTTP: on loopback, or behind a proxy that speaks TLS',
  'option.names': 'by which people and hosts reach this machine',
  'option.channel-listen': 'where agents and nodes call in (default: 127.0.0.1:8731)',
  'option.data-listen': 'where agents send data (default: port 8732; of serve on loopback)',
  'option.nbd-listen': 'where hosts attach media (default: port 8733; of serve on loopback)',
  'option.catalog-url-file': 'file that holds postgres://…; else SQLite in the data directory',
  'option.no-pool': 'make no pool at the first start',
  'option.metrics-public': '/metrics without a token',
  'option.console-root': 'built files of the console',
  'option.allow-restore': 'points may be restored to this machine (default: yes)',
  'option.allow-mount': 'media may be mounted on this machine (default: yes)',
  'option.plugins': 'plug-ins of further database engines; only root may write there',
  'option.paths-only': 'read, restore and mount nothing outside of these directories',
  'option.log-level': 'trace, debug, info, warn, error or silent (default: info)',
  'option.log-format': 'auto, json or human (default: auto)',

  'serve.summary': 'run the server: catalog, schedule, API, a storage node and an agent',
  'serve.help': `Everything in one process, on one machine. At the first start it makes its data
directory, a pool in it, and the user admin, whose password is shown once.

It listens on loopback unless it is told otherwise. What is given as a flag may also stand in
/etc/openmaas/server.yaml (dataListen: 0.0.0.0:8732) or in the environment
(OPENMAAS_DATA_LISTEN). Ctrl-C or SIGTERM ends it; work under way goes on at the next start.`,

  'option.join-token': 'the single-use token that the server made',
  'option.join-token-file': 'file that holds it: on a command line other users see it',
  'option.join-fingerprint': "of the server's certificate, as the server shows it",
  'option.join-name': 'by which people know this machine (default: its host name)',

  'agent.summary': 'run the agent of this machine',
  'agent.help': `Connects to the server that this machine has joined, and obeys it within the limits
given here: it reads what is to be protected, and makes media disks of this machine. It opens no
port.`,
  'agent-join.summary': 'let this machine be protected by a server',
  'agent-join.help': `Checks the server's fingerprint, then trades the token for a certificate. The
server shows the whole line: "openmaas host token", or the console. Then run "openmaas agent".`,
  'node.summary': 'run the storage node of this machine',
  'node.help': `Keeps pools and serves them: agents send data to --data-listen, hosts attach media
at --nbd-listen. Both ask for a certificate of the server.`,
  'node-join.summary': 'let this machine keep pools for a server',
  'node-join.help': `As "openmaas agent join", with a token made for a node. Then run
"openmaas node".`,

  'option.config-role': 'whose settings: server, agent or node (default: server)',
  'option.config-effective': 'defaults as well',
  'option.config-redact': 'without the places of secrets',
  'config-check.summary': 'check the settings of a role',
  'config-check.help': `Reads the file, what stands in conf.d beside it (agent.d, node.d) and the
environment, and names what is wrong with its file. Prints the files that were read.`,
  'config-print.summary': 'show the settings of a role',
  'config-print.help': `As YAML: what is set differently from its default, or with --effective
everything.`,
  'server-reset-admin.summary': 'a new password for the user admin',
  'server-reset-admin.help': `With the server stopped. The user admin gets a new password, which is
shown once, every right, and no second factor. It is written into the audit log.`,
} as const

export const englishRolesRun = {
  'config.defaults': 'no file of settings: everything of the {role} is at its default',
  'role.ready': '{name} works for {server}',
  'join.done': 'This machine has joined {server} as {name}.',
  'join.next': 'Run "openmaas {kind}", or "systemctl enable --now openmaas-{kind}".',
  'serve.ready': `OpenMaaS is at {url}
fingerprint {fingerprint}`,
  'serve.login': `log in as {name} with the password {password}
(it is shown this once, and has to be changed)`,
  'serve.pool': `pool {path}, passphrase {passphrase}
(write it down: without it and this machine nobody opens the pool)`,
  'serve.secretsFile': 'login and passphrase are in {file}; read it, then delete it',
  'serve.next': `Next: openmaas login {url} --user admin --fingerprint {fingerprint}
      openmaas source add {host} /path --label sla=gold   (bronze, silver, gold)
      openmaas host token   (one line that lets another machine join)`,
} as const
