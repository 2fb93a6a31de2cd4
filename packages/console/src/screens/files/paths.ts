/** Paths inside of a point: absolute in addresses and on screen, without the slash in the API. */

export function childOf(folder: string, name: string): string {
  return folder === '/' ? `/${name}` : `${folder}/${name}`
}

export function parentOf(path: string): string {
  const end = path.lastIndexOf('/')
  return end <= 0 ? '/' : path.slice(0, end)
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** `/docs/2026` → `/`, `docs`, `2026`, each with the path that it leads to. */
export function crumbsOf(path: string): { readonly name: string; readonly path: string }[] {
  const parts = path.split('/').filter((part) => part !== '')
  return [
    { name: '/', path: '/' },
    ...parts.map((name, index) => ({ name, path: `/${parts.slice(0, index + 1).join('/')}` })),
  ]
}

/** As the API wants it: below the root of the point. */
export function belowRoot(path: string): string {
  return path.replace(/^\/+/, '')
}

export function fromRoot(path: string): string {
  return `/${belowRoot(path)}`
}

/** A pattern that means exactly this path: what a glob would read is put in brackets. */
export function patternOf(path: string): string {
  return belowRoot(path).replace(/[*?[\]{}()!+@]/g, '[$&]')
}

/** Where a path of a point comes to stand below a folder of a host. */
export function placedAt(to: string, path: string): string {
  const folder = to.length > 1 ? to.replace(/\/+$/, '') : ''
  return `${folder}${fromRoot(path)}`
}
