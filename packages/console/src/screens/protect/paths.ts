/** Paths of a host, always absolute, with slashes. */

export function childPath(path: string, name: string): string {
  return path === '/' ? `/${name}` : `${path}/${name}`
}

/** `/srv/www` → `/`, `srv`, `www`, each with the path that it leads to. */
export function crumbsOf(path: string): { readonly name: string; readonly path: string }[] {
  const parts = path.split('/').filter((part) => part !== '')
  return [
    { name: '/', path: '/' },
    ...parts.map((name, index) => ({ name, path: `/${parts.slice(0, index + 1).join('/')}` })),
  ]
}
