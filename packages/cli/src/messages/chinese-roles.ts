/** 各角色命令的中文文本:先是帮助,后是运行时输出。 */
import type { englishRolesHelp, englishRolesRun } from './english-roles.ts'

export const chineseRolesHelp: Readonly<Record<keyof typeof englishRolesHelp, string>> = {
  'group.roles': '服务器与主机',
  'option.config': '配置文件（默认 /etc/openmaas 中的 server.yaml、agent.yaml 或 node.yaml）',
  'option.data': '数据目录（默认 /var/lib/openmaas）',
  'option.listen': 'API 与控制台地址（默认 127.0.0.1:8730）',
  'option.http': '明文 HTTP：仅限回环地址，或位于支持 TLS 的代理之后',
  'option.names': '用户和主机访问本机所用的名称',
  'option.channel-listen': '探针与节点的接入地址（默认 127.0.0.1:8731）',
  'option.data-listen': '探针发送数据的地址（默认端口 8732；serve 仅限回环地址）',
  'option.nbd-listen': '主机挂接介质的地址（默认端口 8733；serve 仅限回环地址）',
  'option.catalog-url-file': '内含 postgres://… 的文件；否则使用数据目录中的 SQLite',
  'option.no-pool': '首次启动时不创建存储池',
  'option.metrics-public': '无需令牌即可访问 /metrics',
  'option.console-root': '控制台的已构建文件',
  'option.allow-restore': '允许将恢复点恢复到本机（默认 yes）',
  'option.allow-mount': '允许在本机挂载介质（默认 yes）',
  'option.plugins': '存放数据库引擎插件程序的目录；只有 root 可写时才会运行',
  'option.paths-only': '仅可读取、恢复和挂载这些目录之内的内容',
  'option.log-level': 'trace、debug、info、warn、error 或 silent（默认 info）',
  'option.log-format': 'auto、json 或 human（默认 auto）',

  'serve.summary': '运行服务器：目录库、调度、API、存储节点和探针',
  'serve.help': `所有角色在一台机器的一个进程中运行。首次启动时创建数据目录、其中的存储池，
以及用户 admin，其口令仅显示一次。

默认只监听回环地址。参数也可写在 /etc/openmaas/server.yaml(dataListen: 0.0.0.0:8732)
或环境变量（OPENMAAS_DATA_LISTEN）中。Ctrl-C 或 SIGTERM 结束；未完成的作业在下次启动后继续。`,

  'option.join-token': '服务器生成的一次性令牌',
  'option.join-token-file': '内含令牌的文件：命令行参数会被其他用户看到',
  'option.join-fingerprint': '服务器显示的证书指纹',
  'option.join-name': '本机的显示名称（默认为主机名）',

  'agent.summary': '运行本机的探针',
  'agent.help': `连接到本机已加入的服务器，并在此处给定的限制内执行其指令：读取要保护的内容，
把介质作为磁盘挂接到本机。不监听任何端口。`,
  'agent-join.summary': '让服务器保护本机',
  'agent-join.help': `先核对服务器指纹，再用令牌换取证书。完整命令由服务器给出
（openmaas host token 或控制台）。随后运行 openmaas agent。`,
  'node.summary': '运行本机的存储节点',
  'node.help': `保管并提供存储池：探针向 --data-listen 发送数据，主机在 --nbd-listen 挂接介质。
两者都要求服务器签发的证书。`,
  'node-join.summary': '让本机为服务器保管存储池',
  'node-join.help': `同 openmaas agent join，但使用节点令牌。随后运行 openmaas node。`,

  'option.config-role': '哪个角色的配置：server、agent 或 node（默认 server）',
  'option.config-effective': '包括默认值',
  'option.config-redact': '不显示密文所在位置',
  'config-check.summary': '检查某个角色的配置',
  'config-check.help': `读取配置文件、其旁 conf.d（agent.d、node.d）中的文件和环境变量，
指出错误及所在文件。输出已读取的文件。`,
  'config-print.summary': '显示某个角色的配置',
  'config-print.help': '以 YAML 显示与默认值不同的配置；加 --effective 显示全部。',
  'server-reset-admin.summary': '为用户 admin 设置新口令',
  'server-reset-admin.help': `须先停止服务器。用户 admin 获得新口令（仅显示一次）和全部权限，
并取消第二因素。此操作记入审计日志。`,
}

export const chineseRolesRun: Readonly<Record<keyof typeof englishRolesRun, string>> = {
  'config.defaults': '没有配置文件：{role} 的所有配置均为默认值',
  'role.ready': '{name} 正为 {server} 工作',
  'join.done': '本机已作为 {name} 加入 {server}。',
  'join.next': '请运行 openmaas {kind}，或 systemctl enable --now openmaas-{kind}。',
  'serve.ready': `OpenMaaS 地址：{url}
证书指纹：{fingerprint}`,
  'serve.login': `请以 {name} 登录，口令：{password}
（仅显示这一次，登录后须修改）`,
  'serve.pool': `存储池 {path}，口令：{passphrase}
（请抄录保存：没有它和本机，无人能打开该存储池）`,
  'serve.secretsFile': '登录信息与存储池口令在 {file} 中；阅读后请删除',
  'serve.next': `接下来：openmaas login {url} --user admin --fingerprint {fingerprint}
        openmaas source add {host} /path --label sla=gold   （bronze、silver、gold）
        openmaas host token   （生成一行命令，让另一台机器加入）`,
}
