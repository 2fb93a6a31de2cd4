/**
 * Why a promise is kept or not, and what is odd about a policy: codes with parameters, and their
 * words in both languages. Browser-safe.
 */

export type TextLanguage = 'en' | 'zh'
export type ReasonParams = Readonly<Record<string, string | number | null>>

export interface Reason {
  readonly code: ReasonCode
  readonly params: ReasonParams
}

/** 10,800,000 → "3 h" / "3 小时": two digits of precision are enough for a reason. */
export function spanText(ms: number, language: TextLanguage): string {
  const units = [
    [86_400_000, 'd', '天'],
    [3_600_000, 'h', '小时'],
    [60_000, 'min', '分钟'],
    [1000, 's', '秒'],
  ] as const
  // "90 min" says more than "2 h"; a whole hour is "1 h".
  const fits = (unit: number): boolean => ms >= 2 * unit || (ms > 0 && ms % unit === 0)
  const [size, en, zh] = units.find(([unit]) => fits(unit)) ?? units[3]
  return `${Math.round(ms / size)} ${language === 'zh' ? zh : en}`
}

type Words = (p: Said, language: TextLanguage) => string

/** Parameters on their way into a sentence. */
class Said {
  readonly #params: ReasonParams
  readonly #language: TextLanguage

  constructor(params: ReasonParams, language: TextLanguage) {
    this.#params = params
    this.#language = language
  }

  text(name: string): string {
    return String(this.#params[name] ?? '')
  }

  span(name: string): string {
    return spanText(Number(this.#params[name] ?? 0), this.#language)
  }

  /** "2026-11-22 14:03Z": short, and the same for everybody. */
  time(name: string): string {
    const at = new Date(Number(this.#params[name] ?? 0)).toISOString()
    return `${at.slice(0, 10)} ${at.slice(11, 16)}Z`
  }
}

const REASONS = {
  // ── compliance ──
  LAST_SUCCESS: {
    en: (p) => `last success ${p.span('ageMs')} ago`,
    zh: (p) => `上次成功在 ${p.span('ageMs')}前`,
  },
  NO_SUCCESS: { en: () => 'no point yet', zh: () => '尚无恢复点' },
  FIRST_DUE: {
    en: (p) => `the first is due by ${p.time('at')}`,
    zh: (p) => `首个恢复点应在 ${p.time('at')} 前完成`,
  },
  PROMISE: { en: (p) => `promise ${p.span('rpoMs')}`, zh: (p) => `承诺 ${p.span('rpoMs')}` },
  LAST_FAILURE: {
    en: (p) => `last failure ${p.text('code')}, ${p.text('failures')} in a row`,
    zh: (p) => `上次失败 ${p.text('code')},已连续 ${p.text('failures')} 次`,
  },
  RUNNING: { en: (p) => `running for ${p.span('forMs')}`, zh: (p) => `已运行 ${p.span('forMs')}` },
  WAITING: {
    en: (p) => `waiting in the queue for ${p.span('forMs')}`,
    zh: (p) => `已排队 ${p.span('forMs')}`,
  },
  HOST_OFFLINE: { en: () => 'the host is offline', zh: () => '主机离线' },
  HOST_DRAINED: { en: () => 'the host takes no new work', zh: () => '主机不接受新任务' },
  CLOSED: {
    en: (p) => `outside its windows until ${p.time('until')}`,
    zh: (p) => `时间窗口外,直至 ${p.time('until')}`,
  },
  NEXT_RUN: { en: (p) => `next run ${p.time('at')}`, zh: (p) => `下次运行 ${p.time('at')}` },
  PAUSED: { en: () => 'paused', zh: () => '已暂停' },
  NO_POLICY: { en: () => 'no policy holds for it', zh: () => '没有适用的策略' },
  // ── preview ──
  RPO_SHORTER_THAN_CAPTURE: {
    en: (p) =>
      `a capture of ${p.text('source')} takes ${p.span('captureMs')}, ` +
      `longer than the promise of ${p.span('rpoMs')}`,
    zh: (p) =>
      `${p.text('source')} 的一次备份需 ${p.span('captureMs')},超过承诺的 ${p.span('rpoMs')}`,
  },
  RUNS_TOO_RARE: {
    en: (p) =>
      `windows or cron leave ${p.span('gapMs')} between runs, ` +
      `longer than the promise of ${p.span('rpoMs')}`,
    zh: (p) => `时间窗口或 cron 使两次运行相隔 ${p.span('gapMs')},超过承诺的 ${p.span('rpoMs')}`,
  },
  NEVER_RUNS: { en: () => 'it never runs', zh: () => '永远不会运行' },
  MATCHES_NOTHING: { en: () => 'no source is under it', zh: () => '没有数据源适用该策略' },
  POINTS_EXPIRE: {
    en: (p) => `${p.text('count')} points that exist now would expire`,
    zh: (p) => `现有 ${p.text('count')} 个恢复点将过期`,
  },
  POINTS_ON_DEMAND: {
    en: (p) =>
      `${p.text('count')} points were taken for virtual databases: ` +
      `they take no place in these rules, and go a day after their last use`,
    zh: (p) =>
      `${p.text('count')} 个恢复点是为虚拟数据库创建的:` +
      `不占用这些保留规则的名额,最后一次使用一天后删除`,
  },
  LOCK_OUTLIVES_RETENTION: {
    en: (p) =>
      `points are locked for ${p.text('days')} days, longer than the retention keeps most of them`,
    zh: (p) => `恢复点锁定 ${p.text('days')} 天,长于多数恢复点的保留期`,
  },
  COPIES_NOT_MADE: {
    en: () => 'copies to other pools are not made by this version',
    zh: () => '本版本尚不制作到其他存储池的副本',
  },
  DRILLS_NOT_RUN: {
    en: () => 'drills are not run by this version',
    zh: () => '本版本尚不执行容灾演练',
  },
} as const satisfies Record<string, { readonly en: Words; readonly zh: Words }>
export type ReasonCode = keyof typeof REASONS

export function reasonWords({ code, params }: Reason, language: TextLanguage): string {
  const words: Words = REASONS[code][language]
  return words(new Said(params, language), language)
}

/** As the API shows it. */
export function showReason(reason: Reason, language: TextLanguage) {
  return { code: reason.code, params: { ...reason.params }, text: reasonWords(reason, language) }
}
