import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SourcePlugin } from '@openmaas/source-kit/plugin'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadPluginFolder, PLUGIN_COUNT_MAX } from './plugin-folder.ts'
import { DatabasePlugins } from './plugins.ts'

const BUILT_IN = { engine: 'postgres', title: 'PostgreSQL' } as unknown as SourcePlugin

let directory: TemporaryDirectory
let folder: string
let plugins: DatabasePlugins

beforeEach(() => {
  directory = new TemporaryDirectory()
  folder = join(directory.path, 'plugins')
  mkdirSync(folder, { mode: 0o755 })
  plugins = new DatabasePlugins([BUILT_IN])
})

afterEach(() => {
  plugins[Symbol.dispose]()
  directory[Symbol.dispose]()
})

/** A plug-in that says who it is, and nothing else. */
function write(name: string, engine: string, mode = 0o755): string {
  const path = join(folder, name)
  const hello = { protocol: 1, engine, title: 'Shell', version: '2.1', programs: ['7', '8'] }
  const script = `#!/bin/sh\necho '${JSON.stringify({ hello })}'\nread line\n`
  writeFileSync(path, script)
  chmodSync(path, mode)
  return path
}

/** By name: what the host would tell of them. */
async function load(): Promise<Map<string, string>> {
  await loadPluginFolder(plugins, folder)
  const told = await plugins.describe()
  return new Map(told.map(({ engine, problem }) => [engine, problem]))
}

describe("the folder of a host's own plug-ins", () => {
  test('adds engines, with the versions that their plug-ins tell', async () => {
    write('shell', 'sh')
    await load()
    expect(plugins.of('sh').title).toBe('Shell')
    expect(await plugins.describe()).toMatchObject([
      { engine: 'postgres', builtIn: true, version: '' },
      { engine: 'sh', builtIn: false, version: '2.1', programs: ['7', '8'], problem: '' },
    ])
  })

  test('may be missing, and hidden files in it are none of its business', async () => {
    write('.shell.swp', 'sh')
    expect([...(await load()).keys()]).toEqual(['postgres'])
    folder = join(directory.path, 'nothing here')
    expect([...(await load()).keys()]).toEqual(['postgres'])
  })

  test('runs nothing that others may change: neither the file, nor what leads to it', async () => {
    write('loose', 'one', 0o775)
    const elsewhere = join(directory.path, 'elsewhere')
    mkdirSync(elsewhere)
    renameSync(write('linked', 'two'), join(elsewhere, 'linked'))
    symlinkSync(join(elsewhere, 'linked'), join(folder, 'linked'))
    chmodSync(elsewhere, 0o777)
    write('good', 'three')
    const told = await load()
    expect(told.get('loose')).toMatch(/loose may be written by others.*chmod go-w/)
    expect(told.get('linked')).toMatch(/elsewhere may be written by others/)
    expect(told.get('three')).toBe('')
    expect(plugins.all.map(({ engine }) => engine)).toEqual(['postgres', 'three'])
  })

  test('is refused as a whole when others may put a plug-in into it', async () => {
    write('shell', 'sh')
    chmodSync(folder, 0o777)
    expect((await load()).get(folder)).toMatch(/may be written by others/)
    expect(() => plugins.of('sh')).toThrow(/no plug-in for sh; it knows postgres/)
  })

  test('names what is no program, ends at once, or knows an engine that has a plug-in', async () => {
    write('text', 'one', 0o644)
    write('second', 'postgres')
    writeFileSync(join(folder, 'broken'), '#!/bin/sh\necho "no library" >&2\nexit 3\n', {
      mode: 0o755,
    })
    const told = await load()
    expect(told.get('text')).toMatch(/is no program: chmod \+x/)
    expect(told.get('second')).toMatch(/knows the engine postgres already/)
    expect(told.get('broken')).toMatch(/exit code 3\): no library/)
  })

  test('holds no more than anybody could look after', async () => {
    for (let i = 0; i <= PLUGIN_COUNT_MAX; i += 1) writeFileSync(join(folder, `${i}`), '')
    expect((await load()).get(folder)).toMatch(/more than 32 plug-ins/)
  })
})
