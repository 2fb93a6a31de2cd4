/**
 * The one error table. Every failure of the world has a code here; each transport maps the
 * category once (ERROR_CATEGORIES). Bugs assert instead (assert.ts).
 *
 * Messages are lower case without a final stop; details carry ids, paths and numbers; the hint
 * says what to do next. The reference page docs/reference/errors.md is generated from this table
 * (tools/error-reference.ts) and a test fails when the two differ.
 */

/** What a category means on each transport. STYLE.md, section 3; exit codes CONVENTIONS.md, 3. */
export const ERROR_CATEGORIES = {
  invalid: { http: 400, exit: 2, nbd: 22 /* EINVAL */, errno: 22, retry: false },
  denied: { http: 403, exit: 4, nbd: 1 /* EPERM */, errno: 13, retry: false },
  not_found: { http: 404, exit: 3, nbd: 22, errno: 2, retry: false },
  conflict: { http: 409, exit: 5, nbd: 5 /* EIO */, errno: 16, retry: false },
  cancelled: { http: 409, exit: 130, nbd: 108 /* ESHUTDOWN */, errno: 4, retry: false },
  exhausted: { http: 507, exit: 7, nbd: 28 /* ENOSPC */, errno: 28, retry: true },
  unavailable: { http: 503, exit: 9, nbd: 5, errno: 5, retry: true },
  unsupported: { http: 501, exit: 2, nbd: 95 /* ENOTSUP */, errno: 95, retry: false },
  corrupt: { http: 500, exit: 10, nbd: 5, errno: 5, retry: false },
} as const
export type ErrorCategory = keyof typeof ERROR_CATEGORIES

interface ErrorRow {
  readonly category: ErrorCategory
  /** What to do next, in plain words. */
  readonly en: string
  readonly zh: string
}

/** Code → category and hint in both languages. Sorted by area; add a row where it belongs. */
export const ERRORS = {
  // The command line and its arguments.
  USAGE: { category: 'invalid', en: 'Run the command with --help for its usage.', zh: '请使用 --help 查看用法。' },
  PATH_NOT_FOUND: { category: 'not_found', en: 'Check the path for a typing error.', zh: '请检查路径是否有误。' },
  CANCELLED: { category: 'cancelled', en: 'Run the command again; it goes on where it can.', zh: '请重新运行命令，可续作的部分会继续。' },
  MISSING_PROGRAM: { category: 'unsupported', en: 'Install the named program; "tools/install-debian" does it on Debian.', zh: '请安装所指程序；Debian 上可运行 tools/install-debian。' },
  NOT_ROOT: { category: 'denied', en: 'Run this command as root: attaching disks needs it.', zh: '请以 root 运行：挂接磁盘需要该权限。' },
  PLATFORM_UNSUPPORTED: { category: 'unsupported', en: 'Run it on Linux, x64 or arm64, after "npm install".', zh: '请在 Linux（x64 或 arm64）上运行，并先执行 npm install。' },
  CONFIG_INVALID: { category: 'invalid', en: 'Correct the named flag, variable or line of the configuration file.', zh: '请更正所指的参数、环境变量或配置文件行。' },
  // The local file system, by kernel/node-fs.
  FS_NOT_FOUND: { category: 'not_found', en: 'Check the path for a typing error.', zh: '请检查路径是否有误。' },
  FS_EXISTS: { category: 'conflict', en: 'Choose another name, or remove what stands there.', zh: '请换一个名称，或移除已有的内容。' },
  FS_NO_SPACE: { category: 'exhausted', en: 'Free some space on that file system and run the command again.', zh: '请释放该文件系统的空间后重试。' },
  FS_DENIED: { category: 'denied', en: 'Check owner and mode of the path, or run as a user who may use it.', zh: '请检查路径的属主与权限，或换用有权限的用户。' },
  FS_LIMIT: { category: 'exhausted', en: 'Raise the limit of open files (ulimit -n) or free memory, then run again.', zh: '请提高打开文件数限制（ulimit -n）或释放内存后重试。' },
  FS_IO: { category: 'unavailable', en: 'Look at the kernel log of that machine: the disk answered with an error.', zh: '请查看内核日志：磁盘返回了错误。' },
  // Pool: opening.
  POOL_NOT_FOUND: { category: 'not_found', en: 'Name a directory that "openmaas pool init" has made.', zh: '请指定由 openmaas pool init 创建的目录。' },
  POOL_EXISTS: { category: 'conflict', en: 'A pool is already there; choose an empty directory.', zh: '该处已有存储池，请选择空目录。' },
  POOL_BUSY: { category: 'conflict', en: 'Another process owns the pool; wait for it to end, or ask it.', zh: '另一进程正在使用该存储池，请等待其结束。' },
  POOL_PASSPHRASE_WRONG: { category: 'denied', en: 'Try the passphrase again; nothing was changed.', zh: '请重新输入口令；未作任何更改。' },
  POOL_PASSPHRASE_MISSING: { category: 'invalid', en: 'Give --passphrase-file or set OPENMAAS_PASSPHRASE_FILE.', zh: '请给出 --passphrase-file 或设置 OPENMAAS_PASSPHRASE_FILE。' },
  POOL_SUPERBLOCK_INVALID: { category: 'corrupt', en: 'Restore pool.json from another brick; "openmaas pool fsck" names the bad one.', zh: '请用其他盘上的 pool.json 恢复；openmaas pool fsck 会指出损坏者。' },
  POOL_KEY_SLOT_INVALID: { category: 'corrupt', en: 'The key slot is damaged; another slot or another brick may open the pool.', zh: '密钥槽已损坏；可尝试其他密钥槽或其他盘。' },
  KEY_SLOT_NOT_FOUND: { category: 'not_found', en: 'List the passphrases with "openmaas pool key list".', zh: '请用 openmaas pool key list 列出口令。' },
  KEY_SLOT_EXISTS: { category: 'conflict', en: 'Choose another name, or remove that one first.', zh: '请换一个名称，或先移除该口令。' },
  KEY_SLOT_LAST: { category: 'conflict', en: 'Add another passphrase first: without one nobody can open the pool.', zh: '请先添加另一个口令：没有口令就无法打开存储池。' },
  POOL_FORMAT_UNSUPPORTED: { category: 'unsupported', en: 'Use the version of OpenMaaS that wrote the pool, or a newer one.', zh: '请使用写入该存储池的版本或更新的版本。' },
  POOL_BRICK_MISSING: { category: 'unavailable', en: 'Attach the missing disk; with a mirror the pool still reads.', zh: '请接回缺失的磁盘；镜像模式下仍可读取。' },
  POOL_READ_ONLY: { category: 'unavailable', en: 'A log write failed, so the pool takes no more writes; run the command again to recover.', zh: '日志写入失败，存储池不再接受写入；请重新运行以恢复。' },
  POOL_FULL: { category: 'exhausted', en: 'Delete recovery points and run "openmaas pool gc", or add space.', zh: '请删除恢复点并运行 openmaas pool gc，或增加空间。' },
  POOL_DEGRADED: { category: 'corrupt', en: 'Run "openmaas pool fsck": it lists what is affected; the next backup heals what it re-sends.', zh: '请运行 openmaas pool fsck 查看受影响内容；下次备份会修复可重传的数据。' },
  // Pool: formats.
  LOG_CORRUPT: { category: 'corrupt', en: 'Nothing was truncated. Keep the pool as it is and run "openmaas pool fsck".', zh: '未作截断。请保持现状并运行 openmaas pool fsck。' },
  PACK_INVALID: { category: 'corrupt', en: 'Run "openmaas pool fsck"; with a mirror the copy is repaired from the other brick.', zh: '请运行 openmaas pool fsck；镜像模式下会用另一份修复。' },
  PACK_MISSING: { category: 'corrupt', en: 'Run "openmaas pool fsck" to see which points are affected.', zh: '请运行 openmaas pool fsck 查看受影响的恢复点。' },
  RECORD_INVALID: { category: 'corrupt', en: 'Run "openmaas pool fsck"; with a mirror the copy is repaired from the other brick.', zh: '请运行 openmaas pool fsck；镜像模式下会用另一份修复。' },
  ENCODE_MISMATCH: { category: 'corrupt', en: 'Test the memory of this machine: what was encoded did not read back. Nothing of it was kept.', zh: '请检测本机内存：编码后的内容无法正确读回。未保留任何相关内容。' },
  CHUNK_MISSING: { category: 'corrupt', en: 'Run "openmaas pool fsck"; the next backup of the same source may heal it.', zh: '请运行 openmaas pool fsck；再次备份同一数据源可能修复。' },
  INDEX_INVALID: { category: 'corrupt', en: 'The index is only a cache and is rebuilt when the pool is opened for writing.', zh: '索引只是缓存，以写方式打开存储池时会重建。' },
  TREE_INVALID: { category: 'corrupt', en: 'Run "openmaas pool fsck": the snapshot cannot be read whole.', zh: '请运行 openmaas pool fsck：该快照无法完整读取。' },
  VOLUME_INVALID: { category: 'corrupt', en: 'Run "openmaas pool fsck": the snapshot cannot be read whole.', zh: '请运行 openmaas pool fsck：该快照无法完整读取。' },
  // Pool: sessions, snapshots, GC.
  SESSION_CLOSED: { category: 'conflict', en: 'Start the backup again.', zh: '请重新开始备份。' },
  SESSION_CLOSURE: { category: 'conflict', en: 'Start the backup again: something it relied on was removed meanwhile.', zh: '请重新开始备份：其依赖的内容已被移除。' },
  SNAPSHOT_NOT_FOUND: { category: 'not_found', en: 'List the recovery points with "openmaas points".', zh: '请用 openmaas points 列出恢复点。' },
  SNAPSHOT_AMBIGUOUS: { category: 'invalid', en: 'Give more characters of the id.', zh: '请给出更多的 ID 字符。' },
  POINT_HAS_NO_FILES: { category: 'unsupported', en: 'A volume is looked into as a disk: plug it.', zh: '卷需作为磁盘查看：请挂接它。' },
  SNAPSHOT_LOCKED: { category: 'denied', en: 'The point is locked until the date named; it cannot be deleted before.', zh: '该恢复点在所示日期前被锁定，不可删除。' },
  GC_ABORTED: { category: 'corrupt', en: 'Nothing was deleted. Run "openmaas pool fsck" first.', zh: '未删除任何内容。请先运行 openmaas pool fsck。' },
  GC_NEEDS_APPROVAL: { category: 'denied', en: 'The run would delete unusually much; look at the preview, then give --approve.', zh: '将删除异常多的数据；请查看预览后加 --approve。' },
  POOL_TIME_FROZEN: { category: 'denied', en: 'The clock jumped; deletions wait until it is confirmed.', zh: '时钟发生跳变；确认之前暂停删除。' },
  // Capture and restore.
  SOURCE_UNREADABLE: { category: 'denied', en: 'Run as a user who may read it, or exclude it.', zh: '请用有读取权限的用户运行，或将其排除。' },
  SOURCE_UNSUPPORTED: { category: 'unsupported', en: 'Give a directory; a raw image or block device goes with --volume.', zh: '请给出目录；原始镜像或块设备请用 --volume。' },
  RESTORE_CONFLICT: { category: 'conflict', en: 'Choose --conflict overwrite, skip or rename, or an empty target.', zh: '请选择 --conflict overwrite、skip 或 rename，或使用空目标。' },
  RESTORE_ESCAPE: { category: 'denied', en: 'A link in the target leads out of it; remove the link or choose another target.', zh: '目标中的链接指向外部；请移除该链接或更换目标。' },
  RESTORE_NOT_IN_POINT: { category: 'not_found', en: 'Look for the path with "openmaas ls" or "openmaas find".', zh: '请用 openmaas ls 或 openmaas find 查找路径。' },
  // Databases and their plug-ins.
  DATABASE_UNREACHABLE: { category: 'unavailable', en: 'Check that the database runs, its address and port, and the firewalls between.', zh: '请检查数据库是否运行、其地址与端口以及中间的防火墙。' },
  DATABASE_DENIED: { category: 'denied', en: 'Check user and password, and run the SQL that "database check" names.', zh: '请检查用户与口令，并执行检查结果所列的 SQL。' },
  DATABASE_REFUSED: { category: 'conflict', en: 'The details hold what the database said; a right or a setting may be missing.', zh: '详情中有数据库的答复；可能缺少权限或设置。' },
  DATABASE_UNFIT: { category: 'conflict', en: 'Make the changes that the check names on production, then try again.', zh: '请在生产库上按检查结果进行更改后重试。' },
  DATABASE_VERSION_UNSUPPORTED: { category: 'unsupported', en: 'Install the programs of the same major version as production on this host.', zh: '请在本机安装与生产库主版本相同的程序。' },
  DATABASE_PROGRAM_FAILED: { category: 'unavailable', en: 'The details hold what the program of the database said.', zh: '详情中有数据库程序的输出。' },
  DATABASE_START_FAILED: { category: 'unavailable', en: 'The details hold the end of the server\'s log.', zh: '详情中有服务器日志的末尾。' },
  DATABASE_STATE_INVALID: { category: 'corrupt', en: 'The volume was changed by another program: take a clone of an older point, or protect the database anew.', zh: '卷已被其他程序更改：请使用更早的恢复点，或重新保护该数据库。' },
  DATABASE_NOT_SEEDED: { category: 'conflict', en: 'The volume holds no whole copy yet: let the seed end first.', zh: '卷上尚无完整副本：请先完成初始复制。' },
  DATABASE_CHAIN_BROKEN: { category: 'conflict', en: 'Log that the standby needs is gone for good: seed it anew; older points stay as they are.', zh: '备库所需的日志已永久缺失：请重新做初始复制；已有恢复点不受影响。' },
  DATABASE_VOLUME_FULL: { category: 'conflict', en: 'Enlarge the volume with "openmaas database change --volume-size", or let it grow further by itself with --volume-max; the standby goes on by itself.', zh: '请用 openmaas database change --volume-size 扩大卷，或用 --volume-max 提高自动扩展上限；备库会自动继续。' },
  DATABASE_BEHIND: { category: 'unavailable', en: 'The standby does not keep up or does not run; look at its state, then take the point again.', zh: '备库落后或未运行：请查看其状态后重新生成恢复点。' },
  DATABASE_TARGET_UNREACHABLE: { category: 'not_found', en: 'Choose a moment between the first and the last one the log covers, or take a point first. One that was taken on the way there goes by itself after a day.', zh: '请选择日志覆盖范围内的时刻，或先生成恢复点。为此生成的恢复点会在一天后自动删除。' },
  SOURCE_NOT_DATABASE: { category: 'invalid', en: 'Choose a source of kind postgres or mysql.', zh: '请选择类型为 postgres 或 mysql 的数据源。' },
  DATABASE_ENGINE_UNKNOWN: { category: 'unsupported', en: 'Install a plug-in for that engine on the host, or choose another host.', zh: '请在该主机安装此引擎的插件，或选择其他主机。' },
  DATABASE_NOT_OFFERED: { category: 'denied', en: 'Ask the owner of the source to offer it for self-service.', zh: '请联系数据源所有者开放自助服务。' },
  VIRTUAL_DATABASE_BUSY: { category: 'conflict', en: 'Wait for the job that works on it, or for another state; "openmaas vdb show" tells.', zh: '请等待正在处理它的作业结束或状态改变；可用 openmaas vdb show 查看。' },
  VIRTUAL_DATABASE_FULL: { category: 'exhausted', en: 'Raise its quota with "openmaas vdb extend --quota", or free space on the disk of its pool; it goes on by itself.', zh: '请用 openmaas vdb extend --quota 提高配额，或在存储池所在磁盘上释放空间；之后会自动继续。' },
  VIRTUAL_DATABASE_KEPT: { category: 'conflict', en: 'It is marked to be kept: take the mark away first.', zh: '该虚拟数据库已标记为保留，请先取消保留。' },
  VIRTUAL_DATABASE_PROMOTED: { category: 'conflict', en: 'It was moved to a local directory for good: only start, stop and drop are left.', zh: '它已转为本地永久库：只能启动、停止或删除。' },
  VIRTUAL_DATABASE_IS_PRODUCTION: { category: 'conflict', en: 'What was written to it is nowhere else: move it with "openmaas vdb promote", and make another copy for the other moment.', zh: '其上写入的数据仅存于此：请用 openmaas vdb promote 转为本地库，并为其他时刻另建副本。' },
  VIRTUAL_DATABASE_FOLLOWS: { category: 'conflict', en: 'End following with "openmaas vdb open" first.', zh: '请先用 openmaas vdb open 结束同步。' },
  VIRTUAL_DATABASE_OPEN: { category: 'conflict', en: 'Only one that was made with --live follows production, until it is opened.', zh: '只有以 --live 创建且尚未开放写入的虚拟数据库才同步生产库。' },
  PRODUCTION_ANSWERS: { category: 'conflict', en: 'Stop production for good first, or make a copy of it instead.', zh: '请先彻底停止生产库，或改为创建副本。' },
  DIRECTORY_UNFIT: { category: 'conflict', en: 'Name a directory of the host that is empty or does not exist yet, on a local disk of its own.', zh: '请指定该主机本地磁盘上尚不存在或为空的目录。' },
  GROUP_MEMBER_FAILED: { category: 'conflict', en: 'The details name the members and what failed; the points of the others are kept.', zh: '详情中列出失败的成员及原因；其他成员的恢复点保留。' },
  GROUP_CLOCKS_APART: { category: 'conflict', en: 'Synchronise the clocks of the production hosts (NTP), or raise the clock limit of the group.', zh: '请同步各生产主机的时钟（NTP），或放宽一致性组的时钟差上限。' },
  DATABASE_RUNNING: { category: 'conflict', en: 'An instance runs on that directory; deactivate it first.', zh: '该目录上已有实例运行，请先停用。' },
  PLUGIN_REFUSED: { category: 'denied', en: 'Give the named file or directory to root (chown root:root, chmod go-w), then restart the agent: what others may write is not run as root.', zh: '请将所指文件或目录交给 root（chown root:root、chmod go-w），然后重启探针：他人可写的程序不会以 root 运行。' },
  PLUGIN_FAILED: { category: 'unavailable', en: 'The plug-in ended or answered against the protocol; look at its output in the log of the agent.', zh: '插件已退出或违反协议；请查看探针日志中的插件输出。' },
  // Media.
  MEDIUM_NOT_FOUND: { category: 'not_found', en: 'List the media with "openmaas media".', zh: '请用 openmaas media 列出介质。' },
  MEDIUM_NOT_PLUGGED: { category: 'conflict', en: 'The medium is ejected or on its way out; plug the point again.', zh: '该介质已弹出或正在弹出；请重新挂接恢复点。' },
  MEDIUM_BUSY: { category: 'conflict', en: 'Close the programs that use the mount, then eject again.', zh: '请关闭正在使用该挂载的程序后再弹出。' },
  MEDIUM_UNMOUNT_SLOW: { category: 'unavailable', en: 'Bring the node back that serves the medium, then detach again; with --force what was not written back is lost.', zh: '请恢复提供该介质的节点后再次卸载；使用 --force 会丢失尚未写回的数据。' },
  MEDIUM_TOO_DEEP: { category: 'exhausted', en: 'Seal it with "openmaas seal" and plug the new point: that stands on one layer.', zh: '请用 openmaas seal 封存，再挂接新的恢复点：它只有一层。' },
  FREEZE_NOT_FOUND: { category: 'not_found', en: 'Freeze the medium again with a new request, then seal that.', zh: '请以新的请求重新冻结该介质，然后再封存。' },
  MEDIUM_GROW_OFFLINE: { category: 'conflict', en: 'This host grows the file system only while it is not mounted: detach the medium, then attach it with "grow". For volumes of databases that is done by itself, the standby stopped for seconds.', zh: '此主机只能在卸载状态下扩展该文件系统：请先卸载介质，再以 grow 方式附加。数据库的卷会自动完成，备库停止数秒。' },
  MEDIUM_ATTACH_FAILED: { category: 'unavailable', en: 'Nothing was left behind; the details say which step failed.', zh: '已全部清理；详情指出失败的步骤。' },
  MEDIUM_MOUNT_LOST: { category: 'unavailable', en: 'Whoever works on the medium mounts it anew by itself; if it stays so, look at its node, and into the log of the kernel of this host for errors of the disk.', zh: '使用该介质的作业会自动重新挂载；若仍未恢复，请检查其节点以及本机内核日志中的磁盘错误。' },
  MEDIUM_ENGINE_UNREACHABLE: { category: 'unavailable', en: 'The keeper restarts the engine within a second; if not, run "openmaas plug --resume" with the medium.', zh: '守护进程会在一秒内重启引擎；否则请运行 openmaas plug --resume。' },
  OVERLAY_INVALID: { category: 'corrupt', en: 'The overlay is damaged; the recovery point itself is untouched and can be plugged again.', zh: '覆盖层已损坏；恢复点本身未受影响，可重新挂接。' },
  OVERLAY_FULL: { category: 'exhausted', en: 'The medium has used its quota: free space in it, or plug the point again with a larger quota.', zh: '介质已用完配额：请在其中释放空间，或以更大的配额重新挂接。' },
  OVERLAY_FAILED: { category: 'unavailable', en: 'The disk under the overlay failed a flush: save what you can read, then eject and plug again.', zh: '覆盖层所在磁盘刷写失败：请保存可读取的内容，然后弹出并重新挂接。' },
  LAYER_IN_USE: { category: 'conflict', en: 'Another medium or clone stands on this overlay; eject it first.', zh: '仍有其他介质或克隆基于该覆盖层，请先弹出。' },
  DEVICE_READ_ONLY: { category: 'denied', en: 'Plug the point without --read-only to write to it.', zh: '请不带 --read-only 挂接后再写入。' },
  VIEW_TOO_LARGE: { category: 'unsupported', en: 'The tree does not fit an ext4 file system; plug a part of it.', zh: '该目录树超出 ext4 的容量；请挂接其中一部分。' },
  // Protocols.
  NBD_PROTOCOL_VIOLATION: { category: 'invalid', en: 'The peer does not speak NBD as specified; check that it is an NBD program.', zh: '对端不符合 NBD 协议，请确认其为 NBD 程序。' },
  NBD_EXPORT_UNKNOWN: { category: 'not_found', en: 'List the exports with nbdinfo --list.', zh: '请用 nbdinfo --list 列出导出。' },
  NBD_TLS_REQUIRED: { category: 'denied', en: 'Connect with TLS.', zh: '请使用 TLS 连接。' },
  NBD_REMOTE_ERROR: { category: 'unavailable', en: 'The NBD server answered with an error.', zh: 'NBD 服务器返回错误。' },
  NBD_UNREACHABLE: { category: 'unavailable', en: 'Check that the server runs and the address is right.', zh: '请确认服务器已运行且地址正确。' },
  NBD_EXPORT_CHANGED: { category: 'conflict', en: 'Another disk stands behind that name now; eject the medium and plug it again.', zh: '该名称现对应另一磁盘；请弹出介质后重新挂接。' },
  NBD_NOT_FAST: { category: 'unsupported', en: 'Write the zeros, or ask without the fast flag.', zh: '请直接写零，或不带快速标志重试。' },
  NBD_LISTEN_REFUSED: { category: 'denied', en: 'Listen on a unix socket or loopback, or require TLS with client certificates.', zh: '请监听 unix 套接字或回环地址，或启用 TLS 并要求客户端证书。' },
  NBD_KERNEL_MISSING: { category: 'unsupported', en: 'Load it with "modprobe nbd" (Linux 5.14 or newer), or plug with --attach fuse.', zh: '请执行 modprobe nbd（需 Linux 5.14 及以上），或使用 plug --attach fuse。' },
  NBD_SERVER_UNSUPPORTED: { category: 'unsupported', en: 'That server lacks something this client needs; the message names it.', zh: '该服务器缺少客户端所需的功能，详见错误信息。' },
  FUSE_PROTOCOL_VIOLATION: { category: 'corrupt', en: 'The kernel and this program disagree on FUSE; report it with the kernel version.', zh: '内核与本程序的 FUSE 协议不一致，请附内核版本报告。' },
  // People, tokens and what they may do.
  AUTH_REQUIRED: { category: 'denied', en: 'Log in, or send a token that is still valid.', zh: '请登录，或使用仍然有效的令牌。' },
  LOGIN_FAILED: { category: 'denied', en: 'Check name, password and code; after several failures the account waits before it answers again.', zh: '请检查用户名、口令和验证码；多次失败后账户会暂停响应一段时间。' },
  LOGIN_THROTTLED: { category: 'exhausted', en: 'Wait as long as the answer says, then try again.', zh: '请按提示等待后再试。' },
  SECOND_FACTOR_REQUIRED: { category: 'denied', en: 'Give the six digits of your authenticator app, or a recovery code.', zh: '请输入身份验证器中的六位数字或恢复码。' },
  PASSWORD_CHANGE_REQUIRED: { category: 'denied', en: 'Change your password first.', zh: '请先修改口令。' },
  PASSWORD_UNFIT: { category: 'invalid', en: 'Choose at least 12 characters that are not your name or a common password.', zh: '请至少使用 12 个字符，且不得为用户名或常见口令。' },
  PERMISSION_DENIED: { category: 'denied', en: 'Ask an administrator for a role that has the permission named.', zh: '请向管理员申请具有所示权限的角色。' },
  CSRF_REFUSED: { category: 'denied', en: 'Reload the page; the request did not come from it.', zh: '请刷新页面；该请求并非来自本页面。' },
  USER_NOT_FOUND: { category: 'not_found', en: 'List the users with "openmaas user list".', zh: '请用 openmaas user list 列出用户。' },
  USER_EXISTS: { category: 'conflict', en: 'Choose another name.', zh: '请换一个用户名。' },
  USER_LAST_ADMIN: { category: 'conflict', en: 'Make somebody else an administrator first: without one nobody can manage the server.', zh: '请先指定另一位管理员：否则无人能管理服务器。' },
  TOKEN_NOT_FOUND: { category: 'not_found', en: 'List the tokens with "openmaas token list".', zh: '请用 openmaas token list 列出令牌。' },
  TOKEN_EXCEEDS_USER: { category: 'denied', en: 'A token can have only what its user has; choose fewer roles or a narrower scope.', zh: '令牌权限不得超过其用户；请减少角色或缩小范围。' },
  TOTP_NOT_BEGUN: { category: 'conflict', en: 'Begin again: ask for a new secret and confirm it with a code.', zh: '请重新开始：获取新密钥并用验证码确认。' },
  TOTP_PRESENT: { category: 'conflict', en: 'Remove the second factor first, then set up the new one.', zh: '请先移除现有的第二因素，再设置新的。' },
  CONSENT_MISSING: { category: 'invalid', en: 'Type the name of the object and give a reason.', zh: '请输入对象名称并说明理由。' },
  APPROVAL_REQUIRED: { category: 'denied', en: 'Wait until somebody else has approved it, then send the same request with that approval.', zh: '请等待他人审批，然后带上该审批重新提交同一请求。' },
  APPROVAL_NOT_FOUND: { category: 'not_found', en: 'List the approvals with "openmaas approval list".', zh: '请用 openmaas approval list 列出审批。' },
  APPROVAL_NOT_USABLE: { category: 'conflict', en: 'Ask for a new approval: this one is decided, used, expired or for something else.', zh: '请重新申请审批：该审批已决定、已使用、已过期或针对其他操作。' },
  APPROVAL_OWN: { category: 'denied', en: 'Somebody else must decide about it.', zh: '必须由他人审批。' },
  OIDC_UNREACHABLE: { category: 'unavailable', en: 'Check the address of the identity provider and its certificate; local users still log in.', zh: '请检查身份提供方的地址和证书；本地用户仍可登录。' },
  OIDC_REFUSED: { category: 'denied', en: 'Begin the login again; if it fails again, ask who runs the identity provider.', zh: '请重新登录；若仍失败，请联系身份提供方管理员。' },
  SEALED_INVALID: { category: 'corrupt', en: 'It was sealed with another key, or was changed: set the secret again.', zh: '该密文由其他密钥加密或已被更改：请重新设置。' },
  SERVER_KEY_INVALID: { category: 'corrupt', en: 'Put back the key file from a copy: without it, sealed secrets must be set again.', zh: '请用副本恢复密钥文件；否则需重新设置所有密文。' },
  SECRET_NOT_FOUND: { category: 'not_found', en: 'Set the secret again under that name.', zh: '请以该名称重新设置密文。' },
  AUDIT_BROKEN: { category: 'corrupt', en: 'Somebody changed the audit log: keep the catalog as it is and compare it with a backup or the syslog.', zh: '审计日志被改动：请保留现有目录库，并与备份或 syslog 比对。' },
  SYSLOG_UNREACHABLE: { category: 'unavailable', en: 'Check address, port and certificate of the syslog server.', zh: '请检查 syslog 服务器的地址、端口和证书。' },
  NOTIFY_FAILED: { category: 'unavailable', en: 'The channel did not take the message; the details say what it answered. Use "send test".', zh: '通道未接收消息；详情为其答复。可使用“发送测试”。' },
  NOTIFY_REFUSED: { category: 'invalid', en: 'Correct address, token or secret of the channel; the details say what it answered.', zh: '请更正通道的地址、令牌或密钥；详情为其答复。' },
  CHANNEL_NOT_FOUND: { category: 'not_found', en: 'List the notification channels.', zh: '请列出通知通道。' },
  // Hosts, the channel and its tickets.
  HOST_NOT_FOUND: { category: 'not_found', en: 'List the hosts with "openmaas host list".', zh: '请用 openmaas host list 列出主机。' },
  HOST_OFFLINE: { category: 'unavailable', en: 'Start the agent on that host and check that it reaches the server; the order can then be repeated.', zh: '请在该主机上启动探针并确认可连接服务器，之后可重试。' },
  HOST_DRAINED: { category: 'conflict', en: 'The host takes no new work; end the drain, or choose another host.', zh: '该主机已停止接收新任务；请取消排空或选择其他主机。' },
  HOST_REMOVED: { category: 'denied', en: 'The host was removed or its certificate revoked; join it again with a new token.', zh: '该主机已被移除或其证书已吊销；请用新令牌重新加入。' },
  HOST_IN_USE: { category: 'conflict', en: 'Move or remove what the host still holds first; the details name it.', zh: '请先移走或移除该主机仍持有的内容，详见错误信息。' },
  HOST_CLOCK_WRONG: { category: 'denied', en: 'Set the clock of this machine (timedatectl set-ntp true), then try again.', zh: '请校准本机时钟（timedatectl set-ntp true）后重试。' },
  JOIN_TOKEN_INVALID: { category: 'denied', en: 'A token is good once, for one hour: make a new one with "openmaas host token".', zh: '令牌仅一次有效，一小时过期：请用 openmaas host token 重新生成。' },
  JOIN_ALREADY: { category: 'conflict', en: 'This machine has joined already; remove its data directory to join again.', zh: '本机已加入；如需重新加入，请先移除其数据目录。' },
  JOIN_MISSING: { category: 'not_found', en: 'Join first: "openmaas agent join URL --token … --fingerprint …".', zh: '请先加入：openmaas agent join URL --token … --fingerprint …。' },
  SERVER_NOT_TRUSTED: { category: 'denied', en: 'Compare the fingerprint with the one the server shows; if it differs, somebody may stand in between.', zh: '请与服务器显示的指纹核对；若不一致，可能存在中间人。' },
  CERTIFICATE_INVALID: { category: 'denied', en: 'Join the host again with a new token; an expired certificate cannot be renewed.', zh: '请用新令牌重新加入；过期证书无法续期。' },
  CERTIFICATE_MISSING: { category: 'denied', en: 'Connect with the certificate that the host got when it joined.', zh: '请使用主机加入时获得的证书连接。' },
  CA_INVALID: { category: 'corrupt', en: 'Restore the "ca" directory of the server from its copy; without it every host has to join again.', zh: '请从副本恢复服务器的 ca 目录；否则所有主机需重新加入。' },
  CHANNEL_PROTOCOL_VIOLATION: { category: 'invalid', en: 'The peer does not speak the channel as specified; check that both ends are OpenMaaS of one major version.', zh: '对端不符合通道协议；请确认两端为同一主版本的 OpenMaaS。' },
  CHANNEL_VERSION_UNSUPPORTED: { category: 'unsupported', en: 'Upgrade the older of server and agent.', zh: '请升级服务器与探针中较旧的一方。' },
  CHANNEL_UNREACHABLE: { category: 'unavailable', en: 'Check the address and port of the server, and the firewalls between.', zh: '请检查服务器地址、端口及中间的防火墙。' },
  CHANNEL_FRAME_TOO_LARGE: { category: 'exhausted', en: 'Ask for less at once: fewer entries or fewer points.', zh: '请减少单次请求的条目或恢复点数量。' },
  ORDER_INVALID: { category: 'invalid', en: 'One end of the channel is older than the other; upgrade it.', zh: '通道两端版本不一致，请升级较旧的一方。' },
  ORDER_UNKNOWN: { category: 'unsupported', en: 'That host cannot do this: it has another role, or an older version.', zh: '该主机不支持此操作：角色不同或版本较旧。' },
  ORDER_REFUSED: { category: 'denied', en: 'The host\'s own settings forbid it; its administrator can allow it in the agent\'s configuration.', zh: '主机本地设置禁止此操作；可由其管理员在探针配置中放行。' },
  ORDER_FAILED: { category: 'unavailable', en: 'The host answered with an error this server does not know; the details name it.', zh: '主机返回了本服务器未知的错误，详见错误信息。' },
  ORDER_TIMEOUT: { category: 'unavailable', en: 'The host took too long; look at its load and repeat the order.', zh: '主机响应超时；请检查其负载后重试。' },
  ORDERS_TOO_MANY: { category: 'exhausted', en: 'Wait until some orders of that host have ended.', zh: '请等待该主机的部分任务结束。' },
  TICKET_INVALID: { category: 'denied', en: 'Start the work again from the server, which writes a new ticket.', zh: '请从服务器重新发起，以获取新的票据。' },
  TICKET_EXPIRED: { category: 'denied', en: 'Start the work again from the server; if it repeats, compare the clocks of server and host.', zh: '请从服务器重新发起；若反复出现，请核对服务器与主机的时钟。' },
  // Requests to the API.
  REQUEST_INVALID: { category: 'invalid', en: 'Correct the fields named and send the request again.', zh: '请更正所指字段后重新发送请求。' },
  REQUEST_MALFORMED: { category: 'invalid', en: 'Send JSON (UTF-8) with Content-Type: application/json.', zh: '请发送 UTF-8 编码的 JSON，并设置 Content-Type: application/json。' },
  REQUEST_TOO_LARGE: { category: 'invalid', en: 'Send less in one request; the message says how much is taken.', zh: '请减少单次请求的内容；上限见错误信息。' },
  REQUEST_RATE_EXCEEDED: { category: 'exhausted', en: 'Wait as long as Retry-After says, then go on more slowly.', zh: '请按 Retry-After 等待后，以较低频率重试。' },
  ROUTE_NOT_FOUND: { category: 'not_found', en: 'Look the address and the method up in /api/docs.', zh: '请在 /api/docs 中查找正确的地址与方法。' },
  OBJECT_NOT_FOUND: { category: 'not_found', en: 'List what there is; it may have been removed, or lie outside of what you may see.', zh: '请列出现有对象；该对象可能已被移除，或不在您的可见范围内。' },
  OBJECT_IN_USE: { category: 'conflict', en: 'Remove or end first what uses it; the details name it.', zh: '请先移除或结束正在使用它的对象，详情已列出。' },
  NAME_TAKEN: { category: 'conflict', en: 'Choose another name.', zh: '请换一个名称。' },
  PRECONDITION_MISSING: { category: 'invalid', en: 'Read the object first and send its ETag as If-Match.', zh: '请先读取该对象，并以 If-Match 发送其 ETag。' },
  PRECONDITION_FAILED: { category: 'conflict', en: 'Somebody changed it meanwhile: read it again and repeat the change.', zh: '该对象已被他人修改：请重新读取后再修改。' },
  IDEMPOTENCY_MISMATCH: { category: 'invalid', en: 'Use a new Idempotency-Key for another request.', zh: '不同的请求请使用新的 Idempotency-Key。' },
  IDEMPOTENCY_PENDING: { category: 'conflict', en: 'The first request with this key is still on its way; ask again in a moment.', zh: '使用该键的首个请求仍在处理中，请稍后再试。' },
  IDEMPOTENCY_SPENT: { category: 'conflict', en: 'It was done already, and its secret was shown once; make a new one.', zh: '该请求已完成，其机密仅显示一次；请重新创建。' },
  SERVER_UNREACHABLE: { category: 'unavailable', en: 'Check that the server runs, its address, and the firewalls between.', zh: '请检查服务器是否运行、其地址以及中间的防火墙。' },
  SERVER_BUSY: { category: 'conflict', en: 'Stop the other server, or give this one a data directory of its own with --data.', zh: '请停止另一个服务器，或用 --data 指定单独的数据目录。' },
  PORT_TAKEN: { category: 'conflict', en: 'Choose another port, or end the program that listens there ("ss -ltnp" names it).', zh: '请更换端口，或结束占用该端口的程序（可用 ss -ltnp 查看）。' },
  SERVER_STOPPING: { category: 'unavailable', en: 'The server is being stopped or started; ask again in a moment.', zh: '服务器正在停止或启动，请稍后再试。' },
  WEBHOOKS_TOO_MANY: { category: 'exhausted', en: 'Remove a webhook that nobody needs, or let one receiver pass events on.', zh: '请删除不再需要的 Webhook，或由一个接收方转发事件。' },
  // The client of a server.
  CONTEXT_MISSING: { category: 'invalid', en: 'Log in with "openmaas login URL", or choose with --context; "openmaas context list" shows them.', zh: '请用 openmaas login URL 登录，或用 --context 选择；openmaas context list 可列出。' },
  CONTEXT_NOT_FOUND: { category: 'not_found', en: 'List the contexts with "openmaas context list", or log in.', zh: '请用 openmaas context list 列出上下文，或先登录。' },
  OBJECT_AMBIGUOUS: { category: 'invalid', en: 'Several have that name: give the id, or host/name for a source.', zh: '有多个同名对象：请给出 ID，数据源可用 主机/名称。' },
  JOB_WAIT_TIMEOUT: { category: 'unavailable', en: 'The job goes on; watch it with "openmaas job watch".', zh: '作业仍在进行；可用 openmaas job watch 查看。' },
  // The catalog.
  CATALOG_UNAVAILABLE: { category: 'unavailable', en: 'Check the path, or address and password of the database, and that it runs.', zh: '请检查路径，或数据库的地址与口令，并确认其正在运行。' },
  CATALOG_CORRUPT: { category: 'corrupt', en: 'Keep the file as it is and run "openmaas catalog rebuild" into a new one.', zh: '请原样保留该文件，并用 openmaas catalog rebuild 重建到新文件。' },
  CATALOG_NEWER: { category: 'unsupported', en: 'Use the version of OpenMaaS that wrote the catalog, or a newer one. Nothing was changed.', zh: '请使用写入该目录库的版本或更新的版本。未作任何更改。' },
  CATALOG_NOT_EMPTY: { category: 'conflict', en: 'Rebuild or import into a new catalog: what this one holds is not overwritten.', zh: '请重建或导入到新的目录库：现有内容不会被覆盖。' },
  CATALOG_EXPORT_INVALID: { category: 'corrupt', en: 'The export is damaged or not whole; take an older one from the pool.', zh: '导出文件已损坏或不完整；请从存储池取用更早的一份。' },
  // Nodes and the data wire.
  NODE_POOLS_TOO_MANY: { category: 'exhausted', en: 'Use another node for the next pool, or a larger pool.', zh: '请将下一个存储池放到其他节点，或使用更大的存储池。' },
  NODE_POOL_UNREACHABLE: { category: 'unavailable', en: 'The node knows the pool and cannot open it; attach its disks, or end the process that owns it.', zh: '节点已登记该存储池但无法打开；请接回其磁盘，或结束占用它的进程。' },
  DATA_PROTOCOL_VIOLATION: { category: 'invalid', en: 'The peer does not speak the data wire as specified; check that both ends are OpenMaaS of one version.', zh: '对端不符合数据通道协议；请确认两端 OpenMaaS 版本一致。' },
  DATA_REFUSED: { category: 'denied', en: 'The host asked for data that its ticket does not cover, or named data it never sent. Look at that host.', zh: '主机请求了票据之外的数据，或引用了其未发送的数据。请检查该主机。' },
  DATA_UNREACHABLE: { category: 'unavailable', en: 'Check that the node runs, its data address and the firewalls between; then run again. Nothing half was kept.', zh: '请检查节点是否运行、数据地址及防火墙，然后重试。未保留任何不完整内容。' },
  DATA_SESSIONS_TOO_MANY: { category: 'exhausted', en: 'Wait until other captures or restores of that node have ended.', zh: '请等待该节点的其他备份或恢复结束。' },
  // Jobs and policies.
  JOB_FENCED: { category: 'conflict', en: 'Another server process goes on with this job; nothing is lost.', zh: '另一服务进程正在继续该作业，没有丢失任何内容。' },
  JOB_DEADLINE: { category: 'cancelled', en: 'Look at its log for the step that took so long, then run it again.', zh: '请在作业日志中查看耗时的步骤，然后重新运行。' },
  JOB_DEPENDENCY_FAILED: { category: 'conflict', en: 'Look at the job it waited for, then run both again.', zh: '请查看其所依赖的作业，然后重新运行两者。' },
  JOB_KIND_UNKNOWN: { category: 'unsupported', en: 'The job was made by another version; run it there, or start the work anew.', zh: '该作业由其他版本创建，请用该版本运行，或重新发起。' },
  JOB_ENDED: { category: 'conflict', en: 'Nothing to do: the job has ended already.', zh: '无需操作：该作业已结束。' },
  JOB_ACTIVE: { category: 'conflict', en: 'Wait for the job to end, or cancel it first.', zh: '请等待该作业结束，或先取消它。' },
  JOB_INVALID: { category: 'invalid', en: 'Correct the parameters that the message names.', zh: '请更正所指的参数。' },
  POLICY_INVALID: { category: 'invalid', en: 'Correct the named field of the policy; "preview" shows what it would do.', zh: '请更正策略中所指的字段；预览会显示其效果。' },
  SOURCE_HAS_NO_POOL: { category: 'conflict', en: 'Create or adopt a pool, or name one for the source.', zh: '请创建或接管存储池，或为该数据源指定存储池。' },
  DOCUMENT_REFERENCE: { category: 'invalid', en: 'A document names something that is not there; the details say what. Nothing was applied.', zh: '配置文档引用了不存在的对象，详见错误信息；未应用任何更改。' },
  DOCUMENT_UNUSABLE: { category: 'invalid', en: 'A document lacks something that it needs; the details say which. Nothing was applied.', zh: '配置文档缺少必要内容，详见错误信息；未应用任何更改。' },
  POINT_NOT_AVAILABLE: { category: 'conflict', en: 'The point is being deleted or is gone; choose another one.', zh: '该恢复点正在删除或已不存在，请选择其他恢复点。' },
  // Anything that should not have happened.
  INTERNAL: { category: 'corrupt', en: 'This is a bug. Nothing was acknowledged; report it with the output.', zh: '这是程序缺陷。未确认任何写入；请附输出报告。' },
} as const satisfies Record<string, ErrorRow>
export type ErrorCode = keyof typeof ERRORS

/** A bug is no damage: whoever watches for exit code 10 must not be called for it. */
const EXIT_UNFORESEEN = 1

export function exitCodeOf(code: ErrorCode): number {
  return code === 'INTERNAL' ? EXIT_UNFORESEEN : ERROR_CATEGORIES[ERRORS[code].category].exit
}

export interface ErrorDetails {
  readonly [key: string]: string | number | boolean | readonly string[] | undefined
}

/** A failure of the world, with a code of the table. */
export class MaasError extends Error {
  override readonly name = 'MaasError'
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.details = details
  }

  get category(): ErrorCategory {
    return ERRORS[this.code].category
  }

  get exitCode(): number {
    return exitCodeOf(this.code)
  }

  hint(language: 'en' | 'zh' = 'en'): string {
    return ERRORS[this.code][language]
  }
}

/** True for a MaasError with that code. Never match on message text. */
export function isMaasError(error: unknown, code?: ErrorCode): error is MaasError {
  return error instanceof MaasError && (code === undefined || error.code === code)
}
