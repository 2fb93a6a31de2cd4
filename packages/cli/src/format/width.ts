/** Columns of a terminal: Chinese characters take two, control characters must not act. */

/** First and last code points that take two columns (East Asian Wide, and emoji). */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1faff],
  [0x20000, 0x3fffd],
]

function columnsOf(character: string): number {
  const code = character.codePointAt(0)!
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1
}

export function displayWidth(text: string): number {
  let width = 0
  for (const character of text) width += columnsOf(character)
  return width
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)))
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - displayWidth(text))) + text
}

/** Cuts the end off so that it fits. */
export function fit(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  let result = ''
  let used = 0
  for (const character of text) {
    used += columnsOf(character)
    if (used >= width) break
    result += character
  }
  return `${result}…`
}

// oxlint-disable-next-line no-control-regex -- control characters are the subject
const CONTROL = /[\u0000-\u001F\u007F-\u009F]/g

/** A name from outside, made safe for a terminal: `\x1b` is shown, not obeyed. */
export function printable(name: string): string {
  return name.replaceAll(
    CONTROL,
    (character) => `\\x${character.codePointAt(0)!.toString(16).padStart(2, '0')}`,
  )
}

/** A name of bytes for people: what is not UTF-8 is shown as `\xNN`. */
export function printableBytes(name: Buffer): string {
  const text = name.toString('utf8')
  if (!text.includes('\uFFFD')) return printable(text)
  let result = ''
  for (let i = 0; i < name.length;) {
    const [character, size] = oneCharacter(name, i)
    result += character ?? `\\x${name[i]!.toString(16).padStart(2, '0')}`
    i += size
  }
  return result
}

/** @returns the character at the offset and its bytes; undefined when it is not UTF-8 */
function oneCharacter(name: Buffer, offset: number): [string | undefined, number] {
  for (let size = 1; size <= 4 && offset + size <= name.length; size += 1) {
    const piece = name.subarray(offset, offset + size)
    const text = piece.toString('utf8')
    if (Buffer.from(text, 'utf8').equals(piece)) return [printable(text), size]
  }
  return [undefined, 1]
}
