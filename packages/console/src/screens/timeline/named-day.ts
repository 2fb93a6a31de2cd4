/** A day by its name: `last Tuesday 14:03`, `14:03:07 yesterday`, `上周二 14:03`, `昨天 9:00`. */
const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']
const CHINESE = ['日', '一', '二', '三', '四', '五', '六']

const TIME = String.raw`\d{1,2}:\d{2}(?::\d{2})?`
const ENGLISH = String.raw`(?:last\s+|on\s+)?[a-z]+day|today`
const NAMED = new RegExp(
  `^(?:(?<before>${TIME})\\s+)?(?<day>${ENGLISH}|上?(?:周|星期)[日天一二三四五六]|今天|昨天|前天)` +
    `(?:\\s+(?:at\\s+)?(?<after>${TIME}))?$`,
)

/** @returns how many days ago; of a weekday the one that was last, today's a week ago */
function daysAgo(name: string, today: Date): number | null {
  const exact: Readonly<Record<string, number>> = {
    today: 0,
    今天: 0,
    yesterday: 1,
    昨天: 1,
    前天: 2,
  }
  if (Object.hasOwn(exact, name)) return exact[name]!
  const english = WEEKDAYS.indexOf(name.replace(/^(?:last|on)\s+/, ''))
  const chinese = /周|星期/.test(name) ? CHINESE.indexOf(name.at(-1)!.replace('天', '日')) : -1
  const weekday = english === -1 ? chinese : english
  if (weekday === -1) return null
  if (name.startsWith('上')) {
    // The week before this one, from Monday: people who write so mean that.
    const sinceMonday = (today.getDay() + 6) % 7
    return sinceMonday + 7 - ((weekday + 6) % 7)
  }
  return (today.getDay() - weekday + 7) % 7 || 7
}

/**
 * A day without a time means all of it: its last second.
 *
 * @param typed in small letters
 * @returns the day with the words of its time; null when it is none
 */
export function parseNamedDay(
  typed: string,
  now: Date,
): { readonly day: Date; readonly time: string | null } | null {
  const groups = NAMED.exec(typed)?.groups
  if (groups === undefined) return null
  const { before, day = '', after } = groups
  if (before !== undefined && after !== undefined) return null
  const ago = daysAgo(day, now)
  if (ago === null) return null
  const at = new Date(now.getFullYear(), now.getMonth(), now.getDate() - ago)
  return { day: at, time: before ?? after ?? null }
}
