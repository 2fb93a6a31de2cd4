/** The source files that the checks in tools/ look at. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface SourceFile {
  /** Relative to the working tree, with "/" between names. */
  readonly path: string
  readonly text: string
}

export interface Problem {
  readonly path: string
  /** 1-based. */
  readonly line: number
  readonly message: string
}

export const SOURCE_FOLDERS = ['packages', 'simulation', 'interop', 'bench', 'tools']

export function readSourceFiles(root: string): SourceFile[] {
  const files: SourceFile[] = []
  for (const folder of SOURCE_FOLDERS) {
    if (!existsSync(join(root, folder))) continue
    const exclude = (path: string): boolean => path.includes('node_modules')
    for (const path of globSync(`${folder}/**/*.{ts,tsx,mjs}`, { cwd: root, exclude })) {
      // AssemblyScript has its own rules and its own compiler.
      if (path.includes('/assembly/')) continue
      files.push({ path, text: readFileSync(join(root, path), 'utf8') })
    }
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1))
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

/** Prints what was found, and sets the exit code that "npm test" reads. */
export function reportProblems(check: string, fileCount: number, problems: Problem[]): void {
  for (const { path, line, message } of problems) console.log(`${path}:${line}: ${message}`)
  console.log(`${check}: ${fileCount} files, ${problems.length} problems`)
  // A check that saw nothing has checked nothing.
  process.exitCode = problems.length > 0 || fileCount === 0 ? 1 : 0
}
