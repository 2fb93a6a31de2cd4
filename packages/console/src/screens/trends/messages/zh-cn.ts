import type { Translation } from '../../../i18n/text.ts'
import type { en } from './en.ts'

export const zhCn: Translation<typeof en> = {
  stored: '每日存储量',
  'stored.chart': '每日写入存储池的字节数',
  kept: 'SLA 达标率',
  'kept.chart': '每日 SLA 达标比例',
  'kept.source.chart': '每日最新恢复点满足 RPO 的时间比例',
  change: '每日变化量',
  'change.chart': '每日读取与新增的字节数,异常日已标出',
  read: '读取',
  added: '新增',
  unusual: '异常',
  'anomaly.change': '变化量远超平常',
  'anomaly.compressibility': '变化内容几乎无法压缩,可能已被加密',
  'anomaly.shrink': '大量数据消失',
  none: '暂无数据:等待最初几天的恢复点。',
}
