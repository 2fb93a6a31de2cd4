/**
 * Goal: a flipped byte in any file of a pool is found by fsck, all of them, and with two copies
 * repaired, all of them; a truncated or missing pack is found and named with the points that it
 * affects, and what is undamaged still reads.
 *
 * Each round flips one byte in one copy of every pack; the other files have their turn one by one.
 * OPENMAAS_FLIPS sets how many positions, OPENMAAS_SEED which ones.
 */
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import process from 'node:process'
import { globSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '@openmaas/kernel/clock'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { SeededRandom, systemRandom } from '@openmaas/kernel/random'
import type { FsckReport } from '@openmaas/pool/fsck/report'
import { Pool } from '@openmaas/pool/pool/pool'
import { changeTree, makeTree } from '@openmaas/testkit/data'
import { directoryContents, storedPoints } from '../support/contents.ts'
import { PASSPHRASE, Site } from '../support/site.ts'

const FLIPS = Number(process.env['OPENMAAS_FLIPS'] ?? 10_000)
const SEED = Number(process.env['OPENMAAS_SEED'] ?? 1)
const ROUND_MS = 30_000
/** A round flips a byte in every pack. */
const FLIP_MS = 200
/** Of the positions, so many lie in files other than packs. */
const OTHER_SHARE = 0.006

let site: Site
afterEach(() => site[Symbol.asyncDispose]())

/** A pool of several points, each with packs of its own. */
async function fill(): Promise<Map<string, string>> {
  const source = site.folder('source')
  const points = new Map<string, string>()
  makeTree(source, { files: 24, sizeMin: 100, sizeMax: 9000, filesPerDirectory: 6 })
  for (let round = 0; round < 5; round += 1) {
    if (round > 0) changeTree(source, { percent: 30, seed: round })
    const { id } = await site.cli.backup(source)
    points.set(id, directoryContents(source))
  }
  return points
}

/** As "openmaas pool fsck --data" does it, without starting a process for each of the rounds. */
async function fsck(options: { repair?: boolean; masterKey?: Buffer } = {}): Promise<FsckReport> {
  const pool = await openPool(options.masterKey)
  try {
    return await pool.fsck({ level: 'data', repair: options.repair === true })
  } finally {
    await pool.close()
  }
}

function openPool(masterKey?: Buffer): Promise<Pool> {
  return Pool.open({
    path: site.pool,
    unlock: masterKey === undefined ? { passphrase: PASSPHRASE } : { masterKey },
    fs: new NodeFs(),
    clock: systemClock,
    random: systemRandom,
    degraded: true,
  })
}

/** Unlocked once: stretching the passphrase would take most of the time. */
async function readMasterKey(): Promise<Buffer> {
  const pool = await openPool()
  const key = Buffer.from(pool.masterKey)
  await pool.close()
  return key
}

const packsOf = (brick: string): string[] =>
  globSync('packs/*/*', { cwd: brick })
    .map((path) => join(brick, path))
    .toSorted()

/** All but packs, and but what says nothing of the pool's content. */
const othersOf = (brick: string): string[] =>
  globSync(['pool.json*', 'keys/*', 'log/**/*.log', 'index/*'], { cwd: brick })
    .map((path) => join(brick, path))
    .toSorted()

function flip(path: string, random: SeededRandom): number {
  const bytes = readFileSync(path)
  const position = random.below(bytes.length)
  bytes[position]! ^= 1 + random.below(255)
  writeFileSync(path, bytes)
  return position
}

async function expectPoints(points: ReadonlyMap<string, string>): Promise<void> {
  const stored = await storedPoints(site.pool, PASSPHRASE)
  expect(new Set<string>(stored.map(({ id }) => id))).toEqual(new Set(points.keys()))
  for (const point of stored) expect(point.contents === points.get(point.id), point.id).toBe(true)
}

test(
  'with two copies every flipped byte is found and repaired',
  async () => {
    site = await Site.make({ mirrored: true, inMemory: true })
    const points = await fill()
    const random = new SeededRandom(SEED)
    const original = new Map(site.bricks.flatMap(packsOf).map((path) => [path, readFileSync(path)]))
    const packs = packsOf(site.pool).map((path) => path.slice(site.pool.length))
    expect(packs.length).toBeGreaterThanOrEqual(10)
    const masterKey = await readMasterKey()
    const rounds = Math.ceil((FLIPS * (1 - OTHER_SHARE)) / packs.length)
    for (let round = 0; round < rounds; round += 1) {
      const damaged = packs.map((pack) => `${site.bricks[random.below(2)]!}${pack}`)
      const positions = damaged.map((path) => `${path} ${flip(path, random)}`)
      const about = `seed ${SEED}, round ${round}`
      const report = await fsck({ repair: true, masterKey })
      expect(report.healthy, about).toBe(true)
      for (const [index, path] of damaged.entries()) {
        const named = report.problems.some(
          (problem) => problem.repaired && problem.packId?.endsWith(basename(path)) === true,
        )
        expect(named, `${about}: ${positions[index]} is not reported`).toBe(true)
        const repaired = readFileSync(path).equals(original.get(path)!)
        expect(repaired, `${about}: ${positions[index]} is not repaired`).toBe(true)
      }
    }
    await expectPoints(points)
    await flipOthers(Math.ceil(FLIPS * OTHER_SHARE), random)
    await expectPoints(points)
  },
  FLIPS * FLIP_MS,
)

/** One by one; after each the pool must be as whole as before, and must have said so or healed. */
async function flipOthers(count: number, random: SeededRandom): Promise<void> {
  for (let number = 0; number < count; number += 1) {
    const files = site.bricks.flatMap(othersOf)
    const path = files[number % files.length]!
    const before = hashOf(path)
    const position = flip(path, random)
    const about = `seed ${SEED}: ${path} ${position}`
    const report = await fsck({ repair: true })
    expect(report.healthy, about).toBe(true)
    // Log and index are rewritten as the pool is opened, with new records; the rest is restored.
    const isRewritten = path.includes('/log/') || path.includes('/index/')
    const isReported = report.problems.some((problem) => problem.path?.startsWith(path) === true)
    if (!isRewritten) expect(hashOf(path), about).toBe(before)
    expect(isReported || isRewritten, `${about} is not reported`).toBe(true)
    const again = await fsck()
    expect(again.problems, about).toEqual([])
  }
}

const hashOf = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex')

test(
  'with one copy every flipped byte of a pack is found, and the points it affects are named',
  async () => {
    site = await Site.make({ inMemory: true })
    const points = await fill()
    const random = new SeededRandom(SEED)
    const packs = packsOf(site.pool)
    for (let round = 0; round < 12; round += 1) {
      const saved = packs.map((path) => readFileSync(path))
      const positions = packs.map((path) => flip(path, random))
      const { healthy, problems, affected } = await fsck()
      expect(healthy).toBe(false)
      for (const [index, path] of packs.entries()) {
        const named = problems.some(({ packId }) => packId?.endsWith(basename(path)) === true)
        expect(named, `seed ${SEED}: ${path} ${positions[index]}`).toBe(true)
        writeFileSync(path, saved[index]!)
      }
      for (const { id } of affected) expect(points.has(id)).toBe(true)
    }
    await expectPoints(points)
    expect(await fsck()).toMatchObject({ healthy: true, problems: [] })
  },
  12 * ROUND_MS,
)

test('a pack that is truncated, too long or gone is found and hides nothing that is whole', async () => {
  site = await Site.make({ inMemory: true })
  const points = await fill()
  const packs = packsOf(site.pool)
  const biggest = packs.toSorted((a, b) => statSync(b).size - statSync(a).size)[0]!
  const bytes = readFileSync(biggest)
  const damages: [string, () => void][] = [
    ['to nothing', () => truncateSync(biggest, 0)],
    ['to its half', () => truncateSync(biggest, Math.floor(bytes.length / 2))],
    ['by a byte', () => truncateSync(biggest, bytes.length - 1)],
    ['longer', () => appendFileSync(biggest, 'x')],
    ['gone', () => renameSync(biggest, site.join('aside'))],
  ]
  for (const [what, damage] of damages) {
    damage()
    const report = await fsck()
    expect(report.healthy, what).toBe(false)
    expect(
      report.problems.some(({ packId }) => packId?.endsWith(basename(biggest))),
      what,
    ).toBe(true)
    // Each point restores whole, or fails with a code; a damaged byte is never handed out.
    for (const [id, contents] of points) {
      const target = site.join('restored')
      const outcome = await site.cli.attempt(['restore', id, '--to', target])
      if (outcome.exitCode === 0) expect(directoryContents(target) === contents, what).toBe(true)
      else {
        expect(outcome.exitCode, `${what}: ${outcome.stderr}`).toBe(10)
        expect(report.affected.map((point) => point.id)).toContain(id)
      }
      rmSync(target, { recursive: true, force: true })
    }
    rmSync(biggest, { force: true })
    writeFileSync(biggest, bytes)
  }
  expect(await fsck()).toMatchObject({ healthy: true, problems: [] })
  await expectPoints(points)
})
