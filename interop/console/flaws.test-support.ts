/**
 * What is wrong with a page for somebody who looks at it: words that are cut off, words of the
 * other language, things to click that lie over each other. Runs in the page, as text.
 */

/** Names of products, formats and roles of the API that stand as they are in both languages. */
const SAME_IN_BOTH = 'OpenMaaS|OpenID Connect|Let us Encrypt|Noto Sans'

/** `findFlaws(language)` of the page. Its answer is a list of sentences. */
export function flawScript(language: 'en' | 'zh-CN'): string {
  return `(${findFlaws})(${JSON.stringify(language)}, ${JSON.stringify(SAME_IN_BOTH)})`
}

// Text, so that the types of a browser are not needed here.
const findFlaws = `(language, sameInBoth) => {
  const flaws = []
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    && element.getClientRects().length > 0
  const nameOf = (element) => element.tagName.toLowerCase() + (element.dataset.testid ? '[' + element.dataset.testid + ']' : '')
    + ' "' + (element.textContent || element.getAttribute('aria-label') || '').trim().slice(0, 60) + '"'

  // Cut: more text than room, and no way to read the rest.
  for (const element of document.body.querySelectorAll('*')) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '')
    if (!hasText || !isShown(element) || element.closest('svg, [aria-hidden=true], .om-skip')) continue
    const style = getComputedStyle(element)
    if (!/hidden|clip/.test(style.overflowX) || element.scrollWidth <= element.clientWidth + 1) continue
    // Read out, not seen: antd keeps such a copy for screen readers.
    if (element.clientWidth <= 1) continue
    if (element.closest('[title]:not([title=""])') === null) flaws.push('cut off: ' + nameOf(element))
  }

  // The other language: Chinese in English, or a phrase of English in Chinese.
  // What people and programs wrote stands as they wrote it.
  const data = 'code, pre, kbd, time, svg, script, style, textarea, .om-code, [data-testid=equivalents], [data-testid=log], '
    + '[data-testid=silent], [data-testid=list-audit] td, [data-testid=list-approvals] td, [lang]:not(html)'
  const walker = document.createTreeWalker(document.body, 4)
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement
    const words = node.data.replace(new RegExp(sameInBoth, 'g'), '').trim()
    if (words === '' || parent.closest(data) || !isShown(parent)) continue
    const isForeign = language === 'en'
      ? /[\\u4e00-\\u9fff]/.test(words) && parent.closest('[data-testid=language]') === null
      // A Chinese sentence may name a command.
      : /[A-Za-z]{3,} [a-z]{2,}/.test(words) && !/[\\u4e00-\\u9fff]/.test(words)
    if (isForeign) flaws.push('of another language: ' + words.slice(0, 80))
  }

  // Overlap: of two things to click, one hides a part of the other.
  const clickable = [...document.querySelectorAll('button, a[href], input, [role=combobox], [role=tab], [role=switch]')]
    .filter((element) => isShown(element) && element.closest('svg, [inert]') === null)
    .map((element) => ({ element, box: element.getBoundingClientRect() }))
    .filter(({ element, box }) => {
      const [x, y] = [box.left + box.width / 2, box.top + box.height / 2]
      const hit = document.elementFromPoint(x, y)
      // Below a dialog, out of sight, or under the bar that stays while one scrolls.
      return hit !== null && (element.contains(hit) || hit.contains(element))
    })
  for (const [index, one] of clickable.entries()) {
    for (const other of clickable.slice(index + 1)) {
      if (one.element.contains(other.element) || other.element.contains(one.element)) continue
      const field = one.element.closest('label, .ant-select')
      if (field !== null && field === other.element.closest('label, .ant-select')) continue
      const width = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left)
      const height = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top)
      if (width > 3 && height > 3) flaws.push('overlap: ' + nameOf(one.element) + ' and ' + nameOf(other.element))
    }
  }
  return [...new Set(flaws)]
}`
