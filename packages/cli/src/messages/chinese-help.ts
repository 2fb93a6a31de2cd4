/** Help in Chinese. */
import type { englishHelp } from './english-help.ts'

export const chineseHelp: Readonly<Record<keyof typeof englishHelp, string>> = {
  'help.usage': '用法：',
  'help.options': '选项：',
  'help.globals': '通用选项：',
  'help.examples': '示例：',
  'help.commands': '命令：',
  'help.optionsWord': '[选项]',
  'help.intro': `OpenMaaS 让每一份备份都成为可以直接插上的磁盘。
备份一个目录，然后把任意时间点作为磁盘挂接、使用、弹出。`,
  'help.more': `运行 "openmaas <命令> --help" 查看单个命令；脚本编写者请看 "openmaas help exit-codes" 和
"openmaas help environment"。初次使用？请运行 "openmaas demo"。`,
  'group.capture': '备份与恢复',
  'group.points': '恢复点',
  'group.media': '把恢复点当作磁盘',
  'group.pool': '存储池',
  'group.other': '其他',

  'option.pool': '存储池：其第一个目录',
  'option.passphrase-file': '保存口令的文件；未给出则询问',
  'option.json': '数据以 JSON 写到标准输出，错误以 JSON 写到标准错误',
  'option.quiet': '不显示进度和提示',
  'option.verbose': '错误附带详情和原因',
  'option.no-color': '不使用颜色',
  'option.lang': '消息语言',
  'option.help': '显示本帮助',
  'option.version': '显示版本',
  'option.yes': '不询问，直接执行',
  'option.dry-run': '只显示将要发生的事，不作更改',
  'option.lanes': '工作线程数（默认每核一个）',
  'option.redundancy': '每个打包文件存放在一个目录，或 n 个目录（默认 single）',
  'option.fsck-data': '读取并校验所有已存字节',
  'option.fsck-repair': '用镜像副本替换损坏的副本',
  'option.gc-approve': '允许删除异常多数据的运行',
  'option.gc-grace': '已删除内容的保留时间，如 7d',
  'option.new-passphrase-file': '保存新口令的文件；未给出则询问',
  'option.backup-name': '数据源名称（默认取路径最后一段）',
  'option.tag': '随恢复点一同记录',
  'option.exclude': '排除匹配的内容，规则同 .gitignore',
  'option.include': '即使被排除也要备份匹配的内容',
  'option.one-file-system': '不进入其他文件系统',
  'option.volume': '路径是原始镜像或块设备',
  'option.full': '无论是否变化都读取每个文件',
  'option.lock-until': '在此日期之前不可删除该恢复点',
  'option.to': '恢复到的目录；不存在则创建',
  'option.conflict': '遇到已有内容：fail、skip、overwrite 或 rename（默认 fail）',
  'option.owners': 'auto、numbers 或 none（默认 auto）',
  'option.filter-name': '仅此数据源的恢复点',
  'option.filter-host': '仅此主机的恢复点',
  'option.long': '同时显示权限、属主、大小和时间',
  'option.recursive': '包括下级全部内容',
  'option.find-point': '仅在此恢复点中查找',
  'option.find-all': '列出包含该文件的每个恢复点，而非每种状态仅列最新一个',
  'option.at': '挂载位置（默认在 /run/openmaas 之下）',
  'option.read-only': '无覆盖层，不可写',
  'option.nbd': '同时以 NBD 导出；不带值则使用 unix 套接字',
  'option.no-mount': '只生成磁盘，不挂载',
  'option.attach': '通过 FUSE 或内核 nbd 生成磁盘，默认 auto',
  'option.no-attach': '本机不生成磁盘，只以 NBD 导出',
  'option.quota': '该磁盘最多可写入的量',
  'option.free': '该磁盘显示的可用空间',
  'option.resume': '恢复已保留或被中断的介质',
  'option.force': '即使有程序正在使用',
  'option.keep': '保留已写入的内容；可用 "plug --resume" 恢复',
  'option.seal-name': '新恢复点的名称（默认不变）',
  'option.demo-keep': '保留演示目录',

  'pool-init.summary': '在一个或多个目录中创建存储池',
  'pool-init.help': `创建存储池并询问口令两次。没有口令，任何人都无法读取存储池：请将口令保存在存储池之外的
地方。每块磁盘给出一个目录；使用 "mirror:2" 时，每个打包文件保存在其中两个目录。`,
  'pool-status.summary': '显示存储池的空间、冗余和恢复点',
  'pool-status.help': '显示存储池的内容和占用。只读取日志。',
  'pool-fsck.summary': '检查存储池，并用镜像修复',
  'pool-fsck.help': `检查日志、打包文件和索引；加 --data 则检查所有已存字节。会列出受损坏影响的恢复点。
发现问题且未修复时退出码为 10。`,
  'pool-gc.summary': '释放已删除恢复点的空间',
  'pool-gc.help': `释放不再被任何恢复点需要的内容；恢复点、已挂接的磁盘和正在进行的备份绝不受影响。
在终端中会先显示将释放的量并询问。`,
  'pool-key-list.summary': '按名称列出存储池的口令',
  'pool-key-list.help': '列出密钥槽：每个槽是一个可以打开存储池的口令。',
  'pool-key-add.summary': '添加一个口令',
  'pool-key-add.help': '以小写字母、数字和短横线组成的名称添加另一个口令。需用已有口令打开。',
  'pool-key-remove.summary': '移除一个口令',
  'pool-key-remove.help': '按名称移除口令。最后一个口令不可移除。',
  'backup.summary': '为目录或磁盘创建恢复点',
  'backup.help': `只读取自同名、同主机、同路径的最新恢复点以来变化的内容，并只存储存储池中没有的数据；
得到的恢复点仍然是完整的。无法读取的文件会逐一列出，此时退出码为 6。
中断不会丢失此前已确认的任何内容。`,
  'restore.summary': '将恢复点的全部或部分复制到目录',
  'restore.help': `从恢复点复制文件。目标中已完整存在的不再复制，因此中断后可以继续。
多数情况下 "plug" 就够了：只需一秒。`,
  'points.summary': '列出恢复点，最新在前',
  'points.help': `恢复点可用其 ID 的末尾几个字符、"latest"、"latest：名称" 或时间（如 "2 hours ago"、"2小时前"、
"yesterday"、"2026-03-01 14:05"）指定：取该时间或之前最新的一个。`,
  'points-delete.summary': '删除恢复点',
  'points-delete.help': '先显示这些恢复点并询问，再删除。空间由 "pool gc" 释放。',
  'ls.summary': '列出恢复点中的文件',
  'ls.help': '列出恢复点中的一个目录或一个文件。',
  'find.summary': '在所有恢复点中按名称查找文件，最新在前',
  'find.help': `不含 "/" 的模式与名称比较，含 "/" 的与路径比较；"*" 和 "?" 代表除 "/" 外的任意字符，
"**" 代表任意内容。文件的每种状态只列一次，并给出包含它的最新恢复点。`,
  'diff.summary': '显示两个恢复点之间的变化',
  'diff.help': '每处变化一行：A 新增，D 删除，M 内容变化，T 仅属主、权限、时间或属性变化。',
  'cat.summary': '将恢复点中的文件写到标准输出',
  'cat.help': '写出一个文件的字节。',
  'plug.summary': '一秒之内将恢复点作为磁盘插上',
  'plug.help': `把恢复点变成本机的一块磁盘并挂载。可以写入：写入的内容进入覆盖层，绝不改变恢复点。
需要 root;"--nbd --no-attach" 则不需要。`,
  'media.summary': '列出已插上的磁盘',
  'media.help': '列出该存储池的介质及其位置。',
  'eject.summary': '拔出磁盘',
  'eject.help':
    '卸载磁盘，并丢弃写入的内容，除非给出 --keep。介质可用其 ID 的末尾几个字符或挂载位置指定。',
  'clone.summary': '连同写入内容一起复制一块已插上的磁盘',
  'clone.help': '生成第二块磁盘，起始内容与第一块当前相同；此后各自独立写入。',
  'seal.summary': '将已插上的磁盘保存为新的恢复点',
  'seal.help': '将写入磁盘的内容保存为类型为卷的新恢复点。',
  'demo.summary': '一分钟内用示例文件看完全过程',
  'demo.help': '在临时目录中生成示例文件和存储池，备份、修改、将恢复点作为磁盘挂接，最后全部清除。',
  'completion.summary': '输出 shell 补全脚本',
  'completion.help': 'bash：将输出写入 /etc/bash_completion.d/openmaas，或直接 source。',
  'help.summary': '显示命令或主题的帮助',
  'help.help': '主题：exit-codes、environment。',
  'topic.exit-codes': `退出码

  0    完成
  1    未预料的情况
  2    命令行有误，或本机不支持
  3    未找到：存储池、恢复点或路径
  4    不允许：口令、权限或锁定日期
  5    冲突：正在使用或已存在
  6    完成，但有警告：部分文件未能备份或恢复
  7    作业失败；空间不足，或达到其他限制
  8    超时
  9    无法访问：服务器、磁盘或引擎无响应
  10   发现损坏，或校验未通过
  130  被中断

退出码保持稳定，脚本可以依赖。`,
  'topic.environment': `环境变量

  OPENMAAS_POOL             存储池，同 --pool
  OPENMAAS_PASSPHRASE_FILE  同 --passphrase-file
  OPENMAAS_LANES            同 --lanes
  OPENMAAS_LANG             同 --lang；否则看 LC_ALL、LC_MESSAGES、LANG
  OPENMAAS_CONTEXT          同 --context
  OPENMAAS_SERVER           未使用上下文时的服务器：https://backup:8730
  OPENMAAS_TOKEN_FILE       保存该服务器令牌的文件
  OPENMAAS_FINGERPRINT      该服务器的指纹
  OPENMAAS_NODE             运行所用的 Node.js
  NO_COLOR                  不使用颜色

优先顺序：命令行选项、环境变量、~/.config/openmaas/config.yaml、/etc/openmaas/config.yaml。
配置文件的内容形如

  pool: /backup/pool
  passphrase_file: /etc/openmaas/passphrase
  lanes: 4
  lang: zh

口令绝不从命令行或环境变量的值中读取：其他用户可能看到。`,

  'reference.title': 'openmaas 命令',
  'reference.generated':
    '由 `npm run generate` 根据 packages/cli/src/program/tree.ts 及其文本生成，请勿手工修改。',
  'reference.jsonTitle': '供程序使用的输出',
  'reference.json': `数据写到标准输出；进度、提示、警告和错误写到标准错误。写入管道时，表格没有表头，各列以制表符分隔，
数字和时间为原始值（字节、RFC 3339）。使用 --json 时，命令输出一个 JSON 对象或数组，失败时在标准错误
输出一个如下所示的对象；错误码见 [errors.md]（errors.md）。路径不是 UTF-8 时，\`path\` 之外另有 \`pathBytes\`（base64）。`,
}
