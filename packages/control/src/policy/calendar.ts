/** Upcoming runs as iCalendar (RFC 5545): read-only, for a calendar that people look at anyway. */
import { createHash } from 'node:crypto'

export interface CalendarRun {
  readonly at: number
  readonly summary: string
}

/** Section 3.1: a line has at most 75 octets, then CRLF and a space. */
const LINE_OCTETS_MAX = 75
/** Shown as that long: how long a run takes is not known before. */
const SHOWN_MINUTES = 15

/** Section 3.3.11. */
function escapeText(text: string): string {
  return text.replace(/[\\;,]/g, (match) => `\\${match}`).replace(/\r?\n/g, '\\n')
}

function fold(line: string): string {
  const parts: string[] = []
  let part = ''
  let octets = 0
  for (const character of line) {
    const size = Buffer.byteLength(character)
    if (octets + size > LINE_OCTETS_MAX) {
      parts.push(part)
      part = ' '
      octets = 1
    }
    part += character
    octets += size
  }
  return [...parts, part].join('\r\n')
}

/** Section 3.3.5, form 2: UTC. */
const timeText = (at: number): string => new Date(at).toISOString().replace(/[-:]|\.\d{3}/g, '')

export function writeCalendar(
  calendar: { readonly name: string; readonly id: string; readonly now: number },
  runs: readonly CalendarRun[],
): string {
  const { name, id, now } = calendar
  const events = runs.flatMap(({ at, summary }) => [
    'BEGIN:VEVENT',
    // The same run has the same id each time, so that a calendar does not show it twice.
    `UID:${createHash('sha256').update(`${id}/${at}`).digest('hex').slice(0, 32)}@openmaas`,
    `DTSTAMP:${timeText(now)}`,
    `DTSTART:${timeText(at)}`,
    `DURATION:PT${SHOWN_MINUTES}M`,
    `SUMMARY:${escapeText(summary)}`,
    'TRANSP:TRANSPARENT',
    'END:VEVENT',
  ])
  const lines = [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//OpenMaaS//Schedule//EN',
    'CALSCALE:GREGORIAN',
    'METHOD:PUBLISH',
    `NAME:${escapeText(name)}`,
    `X-WR-CALNAME:${escapeText(name)}`,
    ...events,
    'END:VCALENDAR',
  ]
  return lines.map((line) => `${fold(line)}\r\n`).join('')
}
