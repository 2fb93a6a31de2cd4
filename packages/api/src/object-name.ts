/**
 * Names that people give: to sources, policies, groups, virtual databases and bookmarks. They
 * stand in command lines, in addresses such as host/name and name@time, in lists and messages.
 */

/** Long enough for any name a person would type. */
export const NAME_LENGTH_MAX = 128

const FIRST = String.raw`\p{L}\p{N}`
/** Blanks stand within a name only. The brackets are those of both scripts. */
const INNER = String.raw`${FIRST}\p{M} _.:+()（）-`
const NAME = new RegExp(`^[${FIRST}][${INNER}]*$`, 'u')
const OTHERS = new RegExp(`[^${INNER}]+`, 'gu')
const NOT_FIRST = new RegExp(`^[^${FIRST}]+`, 'u')

export const OBJECT_NAME_RULE =
  'a name begins with a letter or a digit, and has letters and digits of any script, blanks, ' +
  `and - _ . : + ( ), ${NAME_LENGTH_MAX} in all`

export function isObjectName(text: string): boolean {
  return text.length <= NAME_LENGTH_MAX && NAME.test(text) && text.trimEnd() === text
}

/** What a path, an address or another name is called; empty when nothing of it is left. */
export function objectNameFrom(text: string): string {
  const fitting = text.normalize('NFC').replaceAll(OTHERS, '-').replace(NOT_FIRST, '')
  return fitting
    .slice(0, NAME_LENGTH_MAX)
    .replace(/[\uD800-\uDBFF]$/, '')
    .replace(/[-\s]+$/, '')
}
