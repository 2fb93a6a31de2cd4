/** What a channel sends: one alert, or several gathered, in one language. */

export type Language = 'en' | 'zh'
export type Severity = 'info' | 'warning' | 'critical'
export type MessageState = 'firing' | 'resolved' | 'test' | 'digest'

export interface AlertText {
  readonly title: string
  readonly cause: string
  readonly nextStep: string
}

export interface MessageAlert extends AlertText {
  readonly id: string
  readonly rule: string
  readonly severity: Severity
  readonly state: 'firing' | 'resolved'
  readonly subject: string
  readonly labels: Readonly<Record<string, string>>
  readonly openedAt: number
  readonly resolvedAt: number | null
}

export interface NotifyMessage {
  /** The same for every attempt: receivers can tell repetitions. */
  readonly id: string
  readonly at: number
  readonly language: Language
  readonly state: MessageState
  /** The worst of its alerts. */
  readonly severity: Severity
  /** One line of plain text. */
  readonly title: string
  /** Lines of plain text; kinds escape them as they must. */
  readonly lines: readonly string[]
  /** To the console, when its address is known. */
  readonly link: string | null
  readonly alerts: readonly MessageAlert[]
}

const TEXTS = {
  en: {
    severity: { info: 'Info', warning: 'Warning', critical: 'Critical' },
    resolved: 'Resolved',
    test: 'Test message',
    testLine: 'This channel works. Nothing has happened.',
    next: 'Next step',
    count: (count: number) => `${count} alerts`,
    more: (count: number) => `… and ${count} more`,
    lasted: (text: string) => `It lasted ${text}.`,
    open: 'Open in OpenMaaS',
  },
  zh: {
    severity: { info: '提示', warning: '警告', critical: '严重' },
    resolved: '已恢复',
    test: '测试消息',
    testLine: '该通道可用。未发生任何事件。',
    next: '下一步',
    count: (count: number) => `${count} 条告警`,
    more: (count: number) => `… 另有 ${count} 条`,
    lasted: (text: string) => `持续 ${text}。`,
    open: '在 OpenMaaS 中打开',
  },
} as const

const RANK: readonly Severity[] = ['info', 'warning', 'critical']
/** Lines of a message that gathers; robots cut long ones, people do not read them. */
const GATHERED_COUNT_MAX = 20
/** Characters of one line; a cause may carry a path. */
const LINE_LENGTH_MAX = 500

export function linkText(language: Language): string {
  return TEXTS[language].open
}

/** @param alerts at least one; several make a digest */
export function makeMessage(
  alerts: readonly MessageAlert[],
  options: {
    readonly id: string
    readonly at: number
    readonly language: Language
    readonly publicUrl: string | null
  },
): NotifyMessage {
  const { id, at, language, publicUrl } = options
  const worst = alerts.toSorted((a, b) => RANK.indexOf(b.severity) - RANK.indexOf(a.severity))
  const [first] = worst
  const severity = first?.severity ?? 'info'
  const base = publicUrl?.replace(/\/+$/, '') ?? null
  const shared = { id, at, language, severity, alerts: worst }
  if (worst.length === 1 && first !== undefined) {
    const link = base === null ? null : `${base}/alerts/${first.id}`
    const lines = linesOf(first, language)
    return { ...shared, state: first.state, title: headOf(first, language), lines, link }
  }
  const lines = worst.slice(0, GATHERED_COUNT_MAX).map((alert) => headOf(alert, language))
  const rest = worst.length - lines.length
  return {
    ...shared,
    state: 'digest',
    title: `OpenMaaS: ${TEXTS[language].count(worst.length)}`,
    lines: rest > 0 ? [...lines, TEXTS[language].more(rest)] : lines,
    link: base === null ? null : `${base}/alerts`,
  }
}

export function makeTestMessage(options: {
  readonly id: string
  readonly at: number
  readonly language: Language
}): NotifyMessage {
  const { test, testLine } = TEXTS[options.language]
  const shared = { state: 'test', severity: 'info', link: null, alerts: [] } as const
  return { ...options, ...shared, title: `OpenMaaS: ${test}`, lines: [testLine] }
}

function headOf(alert: MessageAlert, language: Language): string {
  const { severity, resolved } = TEXTS[language]
  const word = alert.state === 'resolved' ? resolved : severity[alert.severity]
  return line(`[${word}] ${alert.title}`)
}

function linesOf(alert: MessageAlert, language: Language): string[] {
  const { next, lasted } = TEXTS[language]
  if (alert.state === 'resolved') {
    const minutes = Math.round(((alert.resolvedAt ?? alert.openedAt) - alert.openedAt) / 60_000)
    return [line(lasted(durationText(minutes, language)))]
  }
  return [line(alert.cause), line(`${next}: ${alert.nextStep}`)]
}

function durationText(minutes: number, language: Language): string {
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60]
  if (language === 'zh') return hours > 0 ? `${hours} 小时 ${rest} 分钟` : `${rest} 分钟`
  return hours > 0 ? `${hours} h ${rest} min` : `${rest} min`
}

/** One line, whatever a path or an error text brought with it. */
function line(text: string): string {
  return text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .slice(0, LINE_LENGTH_MAX)
    .toWellFormed()
}

/** Cut to so many bytes of UTF-8, between characters. */
export function cutBytes(text: string, sizeMax: number): string {
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length <= sizeMax) return text
  let end = sizeMax - 3
  while ((bytes[end]! & 0xc0) === 0x80) end -= 1
  return `${bytes.subarray(0, end).toString('utf8')}…`
}
