/** Which screens exist, for links from one to another: a link to nowhere is not shown. */
const present = new Set<string>()

/** Told once by the router: every address, with parameters as `$name`. */
export function setScreens(paths: Iterable<string>): void {
  for (const path of paths) present.add(path)
}

/** @param path as the route has it: `/sources/$sourceId` */
export function hasScreen(path: string): boolean {
  return present.has(path)
}
