/**
 * The benchmarks: `npm run bench -- [scenario…] [--quick] [--rounds n] [--data dir]
 * [--scratch dir] [--only tool]`. Tables go to stdout as Markdown, words to stderr.
 * What is measured, and how: bench/README.md.
 */
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { GiB } from '@openmaas/kernel/units'
import { DataSets } from './data-sets.ts'
import { describeMachine, formatMachine, load } from './machine.ts'
import { say } from './output.ts'
import { benchFiles, benchImage } from './scenarios/backup.ts'
import { benchCatalog } from './scenarios/catalog.ts'
import type { Context } from './scenarios/context.ts'
import { benchMemory } from './scenarios/memory.ts'
import { benchNbd } from './scenarios/nbd.ts'
import { benchPlug } from './scenarios/plug.ts'
import { benchReads } from './scenarios/reads.ts'
import { benchVolume } from './scenarios/volume.ts'
import { Borg } from './tools/borg.ts'
import { Copy, TarZstd } from './tools/copy.ts'
import { findNewestRestic } from './tools/newest-restic.ts'
import { OpenMaas } from './tools/openmaas.ts'
import { Restic } from './tools/restic.ts'
import type { Tool } from './tools/tool.ts'

const SCENARIOS: Readonly<Record<string, (context: Context) => Promise<string>>> = {
  files: benchFiles,
  image: benchImage,
  plug: benchPlug,
  reads: benchReads,
  nbd: benchNbd,
  memory: benchMemory,
  catalog: benchCatalog,
  volume: benchVolume,
}

const ROUNDS = 3
/** Repositories and restores of one tool at a time: 2 GB and 4.3 GB, and room to spare. */
const SCRATCH_FREE_MIN = 10 * GiB

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    data: { type: 'string', default: '/var/tmp/openmaas-bench' },
    scratch: { type: 'string' },
    only: { type: 'string', multiple: true },
  },
})
const names = positionals.length > 0 ? positionals : Object.keys(SCENARIOS)
for (const name of names) {
  if (!(name in SCENARIOS)) {
    say(`no scenario "${name}"; there are: ${Object.keys(SCENARIOS).join(', ')}`)
    process.exit(2)
  }
}
const own = mkdtempSync(join(tmpdir(), 'openmaas-bench-run-'))
try {
  const context = makeContext()
  process.stdout.write(`${formatMachine(describeMachine())}.\n`)
  process.stdout.write(`Tools: ${context.tools.map((tool) => tool.name).join(', ')}; `)
  process.stdout.write(`repositories and restores in ${context.scratch}.\n\n`)
  for (const name of names) {
    say(`scenario ${name}`)
    const text = await SCENARIOS[name]!(context)
    process.stdout.write(`${text}\n\n(load at the end ${load().toFixed(1)})\n\n`)
  }
} finally {
  rmSync(own, { recursive: true, force: true })
}

function makeContext(): Context {
  const data = resolve(values.data)
  mkdirSync(data, { recursive: true })
  const openmaas = new OpenMaas(join(own, 'passphrase'))
  const restic = Restic.find('restic')
  const newest = findNewestRestic(join(data, 'debian'))
  const all: (Tool | undefined)[] = [
    openmaas,
    restic,
    newest === undefined ? undefined : Restic.find(newest),
    Borg.find(),
    new TarZstd(),
    new Copy(),
  ]
  const tools = all
    .filter((tool) => tool !== undefined)
    .filter(({ name }) => values.only === undefined || values.only.some((o) => name.startsWith(o)))
  return {
    data: new DataSets(data, values.quick),
    scratch: values.scratch === undefined ? chooseScratch(data) : resolve(values.scratch),
    openmaas,
    tools,
    restic,
    rounds: Number(values.rounds ?? (values.quick ? 1 : ROUNDS)),
    quick: values.quick,
  }
}

/** Memory where there is enough: a slow or shared disk would be measured instead of the tools. */
function chooseScratch(data: string): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm')
    return bavail * bsize >= SCRATCH_FREE_MIN ? '/dev/shm' : data
  } catch {
    return data
  }
}
