import { SeededRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { verifyFs } from '@openmaas/testkit/verify-fs'
import { describe, expect, test } from 'vitest'
import { NO_FAULTS } from './faults.ts'
import { Crash, SimDisk } from './sim-disk.ts'
import { SimFs } from './sim-fs.ts'

function makeDisk(seed: number): SimDisk {
  return new SimDisk({ random: new SeededRandom(seed), clock: new FakeClock() })
}

function readAll(fs: SimFs, path: string): string {
  const file = fs.open(path, 'read')
  const bytes = Buffer.alloc(fs.size(file))
  fs.read(file, bytes, 0)
  fs.close(file)
  return bytes.toString('latin1')
}

verifyFs('SimFs without faults', () => {
  const fs = new SimFs(makeDisk(1))
  fs.makeDirectory('/b0')
  return { fs, root: '/b0' }
})

describe('the simulated disk', () => {
  test('keeps synced bytes under a synced name through every power loss', () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const disk = makeDisk(seed)
      const fs = new SimFs(disk)
      fs.makeDirectory('/d')
      fs.syncDirectory('/')
      const file = fs.open('/d/a', 'create')
      fs.write(file, Buffer.from('kept'), 0)
      fs.dataSync(file)
      fs.syncDirectory('/d')
      disk.die()
      disk.losePower()
      expect(readAll(new SimFs(disk), '/d/a'), `seed ${seed}`).toBe('kept')
    }
  })

  test('loses, keeps or tears what was not synced, and keeps all of it at a kill', () => {
    const seen = new Set<string>()
    for (let seed = 1; seed <= 200; seed += 1) {
      const disk = makeDisk(seed)
      const fs = new SimFs(disk)
      const file = fs.open('/a', 'create')
      fs.syncDirectory('/')
      fs.write(file, Buffer.alloc(1024, 'x'), 0)
      fs.kill()
      expect(readAll(new SimFs(disk), '/a')).toBe('x'.repeat(1024))
      disk.die()
      disk.losePower()
      const text = readAll(new SimFs(disk), '/a')
      seen.add(text.replaceAll('x'.repeat(512), 'X').replaceAll('\0'.repeat(512), 'O'))
    }
    for (const state of ['', 'XX', 'XO', 'OX', 'OO']) expect(seen).toContain(state)
  })

  test('loses a name whose directory was not synced, with or without its file', () => {
    const seen = new Set<boolean>()
    for (let seed = 1; seed <= 50; seed += 1) {
      const disk = makeDisk(seed)
      const fs = new SimFs(disk)
      fs.dataSync(fs.open('/a', 'create'))
      disk.die()
      disk.losePower()
      seen.add(new SimFs(disk).stat('/a') !== undefined)
    }
    expect(seen.size).toBe(2)
  })

  // Goal: "fsyncgate". After the error the next sync says yes, and the bytes are still lost.
  test('lies about a sync that follows a failed one', () => {
    let lost = 0
    for (let seed = 1; seed <= 50; seed += 1) {
      const disk = makeDisk(seed)
      const fs = new SimFs(disk)
      const file = fs.open('/a', 'create')
      fs.syncDirectory('/')
      fs.write(file, Buffer.from('gone'), 0)
      disk.rates = { ...NO_FAULTS, dataSync: 1 }
      expect(() => fs.dataSync(file)).toThrow(expect.objectContaining({ code: 'FS_IO' }))
      disk.rates = NO_FAULTS
      fs.dataSync(file)
      disk.die()
      disk.losePower()
      if (readAll(new SimFs(disk), '/a') !== 'gone') lost += 1
    }
    expect(lost).toBeGreaterThan(10)
  })

  test('dies at the step asked for, and nothing a dead process does has an effect', () => {
    const disk = makeDisk(3)
    const fs = new SimFs(disk)
    const file = fs.open('/a', 'create')
    disk.crashAt = disk.steps + 1
    expect(() => fs.write(file, Buffer.from('x'), 0)).toThrow(Crash)
    expect(() => fs.unlink('/a')).toThrow(Crash)
    expect(() => fs.close(file)).toThrow(Crash)
    expect(new SimFs(disk).stat('/a')).toBeDefined()
  })

  test('refuses what does not fit, and a lost brick has no names', () => {
    const disk = new SimDisk({
      random: new SeededRandom(1),
      clock: new FakeClock(),
      capacity: 1000,
    })
    const fs = new SimFs(disk)
    fs.makeDirectory('/b0')
    const file = fs.open('/b0/a', 'create')
    const full = expect.objectContaining({ code: 'FS_NO_SPACE' })
    expect(() => fs.write(file, Buffer.alloc(2000), 0)).toThrow(full)
    fs.write(file, Buffer.alloc(900), 0)
    disk.take('b0', 100)
    expect(() => fs.write(file, Buffer.alloc(10), 900)).toThrow(full)
    disk.lostBrick = 'b0'
    expect(fs.stat('/b0/a')).toBeUndefined()
    expect(() => fs.readDirectory('/b0')).toThrow(expect.objectContaining({ code: 'FS_NOT_FOUND' }))
    expect(() => fs.dataSync(file)).toThrow(expect.objectContaining({ code: 'FS_IO' }))
  })
})
