/** 告警文本(简体中文):发生了什么、原因、下一步。What alerts say in Chinese. */
import type { AlertTexts } from './alert-texts.ts'
import { bytesText, span, timeText } from './values-text.ts'

const time = (at: number | null): string => timeText(at, 'zh')
const long = (ms: number): string => span(ms, 'zh')
const percent = (share: number): string => `${Math.round(share * 100)}%`

export const CHINESE: AlertTexts = {
  'source-unprotected': ({ source, host }) => ({
    title: `${host} 上的 ${source} 未受保护`,
    cause: '没有已启用的策略适用于该数据源:既未指定策略,也没有选择器与其标签匹配。',
    nextStep:
      '为其指定策略,或加上能被策略选中的标签(openmaas policy list、openmaas source change),或将其移除。',
  }),
  'rpo-missed': ({ source, host, rpoMs, lastSuccessAt, failureCode, hostOffline }) => ({
    title: `${host} 上的 ${source} 未满足 ${long(rpoMs)} 的承诺`,
    cause:
      (lastSuccessAt === null ? '尚无恢复点。' : `最新恢复点的时间为 ${time(lastSuccessAt)}。`) +
      (hostOffline ? '主机离线。' : '') +
      (failureCode === null ? '' : `上次失败的错误码为 ${failureCode}。`),
    nextStep: hostOffline
      ? `恢复主机 ${host};错过的备份会自动补做。`
      : '用 openmaas source compliance 与 openmaas job list 查看原因,然后执行 openmaas protect。',
  }),
  'nothing-succeeds': ({ count, lastSuccessAt }) => ({
    title: `${count} 个数据源无一满足承诺`,
    cause: `全部数据源中最新的恢复点时间为 ${time(lastSuccessAt)}:问题更可能在服务器、存储池或网络,而非某个数据源。`,
    nextStep:
      '查看 openmaas job list 与 openmaas pool list,再查看服务器日志(journalctl -u openmaas-control)。',
  }),
  'scheduler-stalled': ({ sinceAt, overdue }) => ({
    title: '调度器未在运行',
    cause:
      overdue > 0
        ? `${overdue} 次运行已到期而未开始,最早自 ${time(sinceAt)} 起。`
        : sinceAt === null
          ? '无进程主持调度。'
          : `自 ${time(sinceAt)} 起无进程主持调度。`,
    nextStep: '重启服务器(systemctl restart openmaas-control)并查看其日志。',
  }),
  'jobs-stuck': ({ count, sinceAt }) => ({
    title: `${count} 个作业在等待,均未开始`,
    cause: `最早的自 ${time(sinceAt)} 起等待。`,
    nextStep: '查看 openmaas job list:是否有运行多日的作业占用名额;否则重启服务器。',
  }),
  'job-failing': ({ kind, object, failures, code }) => ({
    title: `${object === null ? '' : `${object} 的 `}${kind} 作业已连续失败 ${failures} 次`,
    cause: code === null ? '最近一次错误没有错误码。' : `最近一次错误码为 ${code}。`,
    nextStep:
      '查看最近作业的日志(openmaas job list、openmaas job log),以及 docs/reference/errors.md 中该错误码的说明。',
  }),
  'verification-failed': ({ object, jobId, at }) => ({
    title: `${object} 的已存数据有损坏`,
    cause: `作业 ${jobId} 于 ${time(at)} 回读时发现损坏。`,
    nextStep: `查看 openmaas job log ${jobId}。检查存储池的磁盘,创建新恢复点(openmaas protect),并从校验通过的恢复点恢复。`,
  }),
  'database-unverified': ({ source, pointId, jobId, at, reason }) => ({
    title: `${source} 的一个恢复点未通过校验`,
    cause: `恢复点 ${pointId ?? '?'},校验于 ${time(at)}:${reason}`,
    nextStep:
      `查看 openmaas point show ${pointId ?? ''} 和 openmaas job log ${jobId}。` +
      '若生产库也有同样问题,请先在生产库修复;否则重新保护,并从校验通过的恢复点恢复。',
  }),
  'verification-overdue': ({ source, host, everyMs, lastAt }) => ({
    title: `${host} 上的 ${source} 未按时校验`,
    cause: `策略要求每 ${long(everyMs)} 校验一次;上次校验:${time(lastAt)}。`,
    nextStep: '用 openmaas job list 查看失败的 verify 作业,或用 openmaas point verify 立即校验。',
  }),
  'drill-overdue': ({ source, host, everyMs, lastAt }) => ({
    title: `${host} 上的 ${source} 未按时演练`,
    cause: `策略要求每 ${long(everyMs)} 演练一次;上次成功:${time(lastAt)}。`,
    nextStep:
      '本版本不会自动执行容灾演练:请挂载一个恢复点进行验证(openmaas mount),或从策略中去掉演练。',
  }),
  'source-anomaly': ({ source, host, signal, day, value, usual }) =>
    ({
      change: {
        title: `${host} 上的 ${source} 变化量远超平常`,
        cause: `${time(day).slice(0, 10)} 新增 ${bytesText(value)};平常每天 ${bytesText(usual)}。`,
        nextStep:
          '查明是什么在写入。若非计划之内,须考虑恶意软件加密:先锁定最后一个完好的恢复点(openmaas point lock),以免过期。',
      },
      compressibility: {
        title: `${host} 上的 ${source} 的新数据几乎无法压缩`,
        cause:
          `${time(day).slice(0, 10)} 读取的数据有 ${percent(value)} 需要存储;` +
          `平常为 ${percent(usual)}。加密后的数据即呈此状。`,
        nextStep:
          '查看变化内容(openmaas diff、openmaas point ls)。若文件已被加密,' +
          '请隔离主机并锁定最后一个完好的恢复点(openmaas point lock)。',
      },
      shrink: {
        title: `${host} 上的 ${source} 丢失了大部分数据`,
        cause: `${time(day).slice(0, 10)} 的大小为 ${bytesText(value)};平常为 ${bytesText(usual)}。`,
        nextStep:
          '检查是否有人删除了文件,或文件系统未挂载;此前的恢复点仍包含全部数据(openmaas point list)。',
      },
    })[signal],
  'agent-offline': ({ host, role, sinceAt }) => ({
    title: `${role === 'node' ? '节点' : '探针'} ${host} 离线`,
    cause: `最后一次连接的时间为 ${time(sinceAt)}。`,
    nextStep: `在 ${host} 上执行 systemctl status openmaas-${role};再检查其到服务器 8731 端口的网络。`,
  }),
  'certificate-expiring': ({ name, notAfter }) => ({
    title: `${name} 的证书将于 ${time(notAfter)} 到期`,
    cause: '证书应在有效期过去三分之二时自动续期,而该证书没有。',
    nextStep: '重启该处的探针或节点。若已过期,该机器须用 openmaas host token 重新加入。',
  }),
  'clock-skew': ({ host, skewMs }) => ({
    title: `${host} 的时钟${skewMs > 0 ? '快' : '慢'} ${long(skewMs)}`,
    cause: '与服务器时钟相差超过 5 秒。',
    nextStep: `在 ${host} 上配置时间同步(chrony 或 systemd-timesyncd)。`,
  }),
  'clock-jumped': ({ byMs, at }) => ({
    title: `服务器时钟被移动了 ${long(byMs)}`,
    cause: `时钟于 ${time(at)} ${byMs > 0 ? '前移' : '后移'}:有人调整了时间,或机器曾休眠。`,
    nextStep: '检查服务器的时间同步;调度已重新计算。',
  }),
  'pool-nearly-full': ({ pool, usedPercent, freeBytes }) => ({
    title: `存储池 ${pool} 已使用 ${usedPercent}%`,
    cause: `剩余 ${bytesText(freeBytes)}。存储池写满后无法创建新恢复点。`,
    nextStep: '增加磁盘或缩短保留期,然后执行 openmaas pool collect。',
  }),
  'pool-full-soon': ({ pool, days, growthBytesPerDay }) => ({
    title: `存储池 ${pool} 约 ${days} 天后写满`,
    cause: `每天增长 ${bytesText(growthBytesPerDay)}。`,
    nextStep: '尽早规划扩容,或缩短保留期(openmaas policy simulate)。',
  }),
  'pool-degraded': ({ pool }) => ({
    title: `存储池 ${pool} 已降级`,
    cause: '其中一部分缺失或损坏;再发生故障可能丢失数据。',
    nextStep: '检查其节点的磁盘,然后执行 openmaas pool check。',
  }),
  'pool-offline': ({ pool, node, seenAt }) => ({
    title: `无法访问存储池 ${pool}`,
    cause: `节点 ${node} 最后一次报告该存储池的时间为 ${time(seenAt)}。`,
    nextStep: `确认节点 ${node} 在运行,且存储池的磁盘已在该处挂载。`,
  }),
  'pool-damaged': ({ pool, badBlocks }) => ({
    title: `存储池 ${pool} 有 ${badBlocks} 处损坏`,
    cause: '读取到的字节与写入时不一致。',
    nextStep: '执行 openmaas pool check 查看受影响的恢复点,检查磁盘,并创建新恢复点。',
  }),
  'catalog-backup-old': ({ lastAt }) => ({
    title: '目录库近期没有备份',
    cause: `上次存入存储池:${time(lastAt)};正常为每 6 小时一次。`,
    nextStep: '用 openmaas job list 查看失败的 catalog-backup 作业;须有在线的存储池。',
  }),
  'medium-lease-ending': ({ medium, host, leaseUntil }) => ({
    title: `${host} 上的介质 ${medium} 将于 ${time(leaseUntil)} 弹出`,
    cause: '租期届时结束;写入克隆的内容将一并消失。',
    nextStep: '如仍需使用:openmaas media extend;否则无需处理。',
  }),
  'medium-lost': ({ medium, host }) => ({
    title: `${host} 上的介质 ${medium} 已丢失`,
    cause: '无人弹出该介质,但节点或主机上已不存在。',
    nextStep: '将其弹出(openmaas media eject)后重新插入。',
  }),
  'standby-behind': ({ source, state, lagMs, reason }) => ({
    title: `数据源 ${source} 的备库落后`,
    cause:
      state === 'following'
        ? `落后生产库 ${Math.round((lagMs ?? 0) / 60_000)} 分钟。`
        : `状态为 ${state}${reason === '' ? '' : `:${reason}`}。`,
    nextStep: '用 openmaas database list 查看状态;系统会自动重试。',
  }),
  'standby-retention': ({ source, retainedBytes, limitBytes }) => ({
    title: `${source} 的生产库为备库保留了 ${bytesText(retainedBytes)} 日志`,
    cause: `达到 ${bytesText(limitBytes)} 时生产库将放弃这些日志,届时需要重新复制。`,
    nextStep: '恢复备库主机,或为生产库的日志留出更多空间。',
  }),
  'standby-volume': ({ source, usedBytes, sizeBytes, maxBytes }) => ({
    title: `数据源 ${source} 的卷即将写满`,
    cause:
      `已写入 ${bytesText(usedBytes)},共 ${bytesText(sizeBytes)};` +
      `自动扩展的上限为 ${bytesText(maxBytes)}。写满后备库将停止。`,
    nextStep:
      '扩大该卷或提高上限:openmaas database change <数据源> --volume-size、--volume-max。' +
      '卷为精简配置,只有写入的内容占用空间。',
  }),
  'standby-log-cut': ({ source, at, lastPointAt }) => ({
    title: `数据源 ${source} 自上个恢复点以来的时刻无法恢复`,
    cause:
      `自 ${time(lastPointAt)} 以来没有生成恢复点,备库旁保留的日志达到卷的一半,` +
      `已于 ${time(at)} 删除。`,
    nextStep:
      '生成下一个恢复点后即恢复正常:请恢复该数据源的保护、查看其最近的作业,' +
      '或扩大卷:openmaas database change <数据源> --volume-size。',
  }),
  'standby-must-reseed': ({ source, reason }) => ({
    title: `数据源 ${source} 的备库需要重新复制`,
    cause: `后续日志已缺失${reason === '' ? '' : `:${reason}`}。`,
    nextStep: '下次运行会自动重新复制,除非应答的是另一个数据库;已有恢复点不受影响。',
  }),
  'virtual-database-ending': ({ database, host, leaseUntil }) => ({
    title: `${host} 上的虚拟数据库 ${database} 将于 ${time(leaseUntil)} 删除`,
    cause: '有效期届时结束;写入的内容将一并消失。',
    nextStep: '如仍需使用:openmaas vdb extend;否则无需处理。',
  }),
  'virtual-database-full': ({ database, host, limit, quotaBytes }) => ({
    title: `${host} 上的虚拟数据库 ${database} 没有写入空间`,
    cause:
      limit === 'quota'
        ? `已写满 ${bytesText(quotaBytes ?? 0)} 的配额。其他部分不受影响。`
        : '存储池所在磁盘已满。已有保护继续运行,但新的恢复点同样需要空间。',
    nextStep:
      limit === 'quota'
        ? '提高配额:openmaas vdb extend --quota。已提交的内容均保留。'
        : '请在该磁盘上释放空间,或删除不再需要的内容;之后会自动继续。',
  }),
  'virtual-database-lost': ({ database, host }) => ({
    title: `${host} 上的虚拟数据库 ${database} 未运行`,
    cause: '主机或节点恢复后未能重新启动该虚拟数据库。',
    nextStep: '查看其最近的作业;openmaas vdb start 重试,openmaas vdb reset 重新创建。',
  }),
  'server-disk-full': ({ usedPercent, freeBytes }) => ({
    title: `服务器自身数据所在磁盘已使用 ${usedPercent}%`,
    cause: `目录库所在位置剩余 ${bytesText(freeBytes)}。`,
    nextStep: '释放空间或扩大该文件系统:没有空间则无法保护任何数据。',
  }),
}
