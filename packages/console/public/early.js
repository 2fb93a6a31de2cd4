// Before any module runs, as a file of its own because the policy forbids scripts in the page.
// zod: no code made from strings, which the policy forbids as well.
globalThis.__zod_globalConfig = { jitless: true }
// The theme, so that a dark console does not flash white; src/app/theme.ts keeps it.
{
  const stored = localStorage.getItem('openmaas.theme')
  const isDark =
    stored === 'dark' || (stored !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.dataset.theme = isDark ? 'dark' : 'light'
}
