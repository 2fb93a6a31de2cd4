import { SeededRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { describe, expect, test } from 'vitest'
import { canonicalJson } from './canonical-json.ts'
import { deriveGearTable, KeyRing } from './key-ring.ts'
import { decodeKeySlot, encodeKeySlot, openKeySlot, sealKeySlot } from './key-slot.ts'
import { loadKeySlots, removeKeySlot, saveKeySlot } from './key-slot-store.ts'
import { unlockMasterKey, unlockMasterKeyAside } from './key-slot-store.ts'
import { encodePoolId } from './pool-id.ts'
import type { PoolId } from '@openmaas/kernel/ids'
import type { KeySlot } from './key-slot.ts'

const poolId = 'pol_01ARZ3NDEKTSV4RRFFQ69G5FAV' as PoolId
const masterKey = Buffer.alloc(32, 5)

function makeSlot(slot: string, passphrase: string, seed = 1): KeySlot {
  const random = new SeededRandom(seed)
  const clock = new FakeClock()
  return sealKeySlot({ slot, poolId, masterKey, passphrase, random, clock })
}

describe('a key ring', () => {
  test('derives the same keys in every version', () => {
    const keys = new KeyRing(masterKey, poolId)
    expect({
      chunkId: keys.chunkIdKey.toString('hex'),
      chunker: keys.chunkerKey.toString('hex'),
      logMac: keys.logMacKey.toString('hex'),
      socket: keys.socketKey.toString('hex'),
      manifest: keys.manifestKey.toString('hex'),
      pack: keys.packKey(Buffer.alloc(16, 0x11)).toString('hex'),
      gear: deriveGearTable(keys.chunkerKey).toString('hex', 0, 16),
    }).toMatchInlineSnapshot(`
      {
        "chunkId": "451e762d4f3dd75148e9b5cd9781be82273c33492a7dcdb3159710dab1476e08",
        "chunker": "41c0d6b831a093f2851b455287a6bb8698d6da27437d5873cb78569c399ded2a",
        "gear": "709c06756219cd258d4d5fd56fe6142e",
        "logMac": "f864e2883b339cb156ca90b1dff8c182a70178535a76296033651e28c1fab082",
        "manifest": "41846389c162239142791e9d251b556a4387948f2e8e2ca1302c2e71e62eebe5",
        "pack": "def54dd4278e83a85ebbbd5f9e6110297f4d02dc66d3da0162bbadf950a231ca",
        "socket": "7664c450675c057a285705c223009d30a4c9566c8a86d208041521435f771c56",
      }
    `)
  })

  test('gives another pool other keys from the same master key', () => {
    const other = new KeyRing(masterKey, 'pol_01ARZ3NDEKTSV4RRFFQ69G5FAW' as PoolId)
    expect(other.chunkIdKey).not.toEqual(new KeyRing(masterKey, poolId).chunkIdKey)
  })

  test('knows a pool id as 16 bytes', () => {
    // The ULID of its specification, as a number.
    expect(encodePoolId(poolId).toString('hex')).toBe('01563e3ab5d3d6764c61efb99302bd5b')
    const zero = `pol_${'0'.repeat(26)}` as PoolId
    expect(encodePoolId(zero)).toEqual(Buffer.alloc(16))
    expect(() => encodePoolId(`pol_8${'0'.repeat(25)}` as PoolId)).toThrow('128 bits')
  })
})

describe('a key slot', () => {
  test('opens with its passphrase and with no other', () => {
    const keySlot = makeSlot('default', 'correct horse')
    expect(openKeySlot(keySlot, 'correct horse')).toEqual(masterKey)
    expect(openKeySlot(keySlot, 'correct horse ')).toBeUndefined()
    expect(openKeySlot(keySlot, '')).toBeUndefined()
  })

  test('takes a passphrase however the keyboard composed it', () => {
    const keySlot = makeSlot('default', 'Schlüssel 密码')
    expect(openKeySlot(keySlot, 'Schlu\u0308ssel 密码')).toEqual(masterKey)
  })

  test('has the file that its page describes', () => {
    const keySlot = makeSlot('default', 'correct horse')
    expect(
      encodeKeySlot(keySlot)
        .toString()
        .match(/.{1,64}/gs),
    ).toMatchInlineSnapshot(`
      [
        "{"checksum":"c5c822173b385f402b67f5112c779e209998a89fa3ba794cfd7",
        "f759301909926","cipher":"aes-256-gcm","createdAt":"2026-01-01T00",
        ":00:00.000Z","format":1,"kdf":{"memoryKiB":32768,"name":"argon2i",
        "d","parallelism":1,"passes":2,"salt":"9e272f05c2005ae1e302ce680d",
        "f6392e"},"nonce":"df61a1e7079951a1f721b1ae","poolId":"pol_01ARZ3",
        "NDEKTSV4RRFFQ69G5FAV","slot":"default","wrapped":"875a91bc108913",
        "fd8a11ca4334a653a65c18946149ce336ee74eed60f917e8ee9d21c56222730a",
        "b870bcbe592500af88"}
      ",
      ]
    `)
    expect(decodeKeySlot(encodeKeySlot(keySlot), 'x')).toEqual(keySlot)
  })

  test('is refused after any single-bit damage of its file', () => {
    const bytes = encodeKeySlot(makeSlot('default', 'x'))
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const damaged = Buffer.from(bytes)
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      const decoded = tryDecode(damaged)
      // The line feed at the end carries nothing; everything else is covered.
      if (bit >> 3 < bytes.length - 1) expect(decoded, `bit ${bit}`).toBe('POOL_KEY_SLOT_INVALID')
    }
  })

  test('is refused when it was cut off or is something else', () => {
    const bytes = encodeKeySlot(makeSlot('default', 'x'))
    for (const length of [0, 1, 100, bytes.length - 2]) {
      expect(tryDecode(bytes.subarray(0, length))).toBe('POOL_KEY_SLOT_INVALID')
    }
    for (const text of ['null', '[]', '7', '{}', '{"checksum":"x"}']) {
      expect(tryDecode(Buffer.from(text)), text).toBe('POOL_KEY_SLOT_INVALID')
    }
  })

  test('is refused when it asks for more memory or time than any slot may', () => {
    const keySlot = makeSlot('default', 'x')
    for (const change of [
      { memoryKiB: 2 ** 30 },
      { passes: 1000 },
      { parallelism: 64 },
      { passes: 0 },
      { salt: 'zz' },
    ]) {
      const kdf = { ...keySlot.kdf, ...change } as KeySlot['kdf']
      expect(tryDecode(encodeKeySlot({ ...keySlot, kdf }))).toBe('POOL_KEY_SLOT_INVALID')
    }
  })

  test('of a newer format is named as such', () => {
    const keySlot = { ...makeSlot('default', 'x'), format: 2 } as unknown as KeySlot
    expect(tryDecode(encodeKeySlot(keySlot))).toBe('POOL_FORMAT_UNSUPPORTED')
  })

  test('cannot be moved to another pool or renamed', () => {
    const keySlot = makeSlot('default', 'x')
    expect(openKeySlot({ ...keySlot, slot: 'other' }, 'x')).toBeUndefined()
    const other = 'pol_01ARZ3NDEKTSV4RRFFQ69G5FAW' as PoolId
    expect(openKeySlot({ ...keySlot, poolId: other }, 'x')).toBeUndefined()
  })
})

function tryDecode(bytes: Buffer): string {
  try {
    decodeKeySlot(bytes, 'path')
    return 'accepted'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

describe('the slots of a pool', () => {
  const bricks = ['/b0', '/b1']

  function makePool(): MemoryFs {
    const fs = new MemoryFs()
    saveKeySlot(fs, bricks, makeSlot('default', 'first'))
    saveKeySlot(fs, bricks, makeSlot('escrow', 'second', 2))
    return fs
  }

  function damage(fs: MemoryFs, path: string): void {
    const file = fs.open(path, 'readWrite')
    fs.write(file, Buffer.from('?'), 30)
    fs.close(file)
  }

  test('open with any of their passphrases', () => {
    const fs = makePool()
    expect(unlockMasterKey(fs, bricks, 'first')).toMatchObject({ masterKey })
    expect(unlockMasterKey(fs, bricks, 'second').keySlot.slot).toBe('escrow')
  })

  test('say that a passphrase is wrong, and when a slot is damaged, which', () => {
    const fs = makePool()
    const damaged = bricks.flatMap((brick) =>
      ['.json', '.json.copy'].map((copy) => `${brick}/keys/escrow${copy}`),
    )
    for (const path of damaged) damage(fs, path)
    expect(() => unlockMasterKey(fs, bricks, 'second')).toThrow(
      expect.objectContaining({
        code: 'POOL_PASSPHRASE_WRONG',
        details: { slots: ['default'], damaged },
      }),
    )
  })

  test('open in another thread as they do in this one', async () => {
    const fs = makePool()
    expect(await unlockMasterKeyAside(fs, bricks, 'second')).toEqual(masterKey)
    await expect(unlockMasterKeyAside(fs, bricks, 'third')).rejects.toThrow(
      expect.objectContaining({ code: 'POOL_PASSPHRASE_WRONG' }),
    )
    await expect(unlockMasterKeyAside(new MemoryFs(), bricks, 'first')).rejects.toThrow(
      expect.objectContaining({ code: 'POOL_KEY_SLOT_INVALID' }),
    )
  })

  test('open from the other brick when one copy is damaged', () => {
    const fs = makePool()
    damage(fs, '/b0/keys/default.json')
    expect(unlockMasterKey(fs, bricks, 'first').masterKey).toEqual(masterKey)
    expect(loadKeySlots(fs, bricks).problems).toMatchObject([{ path: '/b0/keys/default.json' }])
  })

  test('open from the second copy on the same brick', () => {
    const fs = new MemoryFs()
    saveKeySlot(fs, ['/b0'], makeSlot('default', 'first'))
    damage(fs, '/b0/keys/default.json')
    expect(unlockMasterKey(fs, ['/b0'], 'first').masterKey).toEqual(masterKey)
  })

  test('are named as damaged when none can be read', () => {
    const fs = new MemoryFs()
    saveKeySlot(fs, ['/b0'], makeSlot('default', 'first'))
    damage(fs, '/b0/keys/default.json')
    damage(fs, '/b0/keys/default.json.copy')
    const expected = expect.objectContaining({ code: 'POOL_KEY_SLOT_INVALID' })
    expect(() => unlockMasterKey(fs, ['/b0'], 'first')).toThrow(expected)
    expect(() => unlockMasterKey(new MemoryFs(), ['/b0'], 'first')).toThrow(expected)
  })

  test('can be removed but for the last', () => {
    const fs = makePool()
    removeKeySlot(fs, bricks, 'default')
    expect(loadKeySlots(fs, bricks).slots.map((slot) => slot.slot)).toEqual(['escrow'])
    const expected = expect.objectContaining({ code: 'POOL_KEY_SLOT_INVALID' })
    expect(() => removeKeySlot(fs, bricks, 'escrow')).toThrow(expected)
    expect(() => removeKeySlot(fs, bricks, 'absent')).toThrow(expected)
  })

  test('survive a left-over of a process that died while writing', () => {
    const fs = makePool()
    fs.close(fs.open('/b0/tmp/key-slot-default', 'create'))
    saveKeySlot(fs, bricks, makeSlot('default', 'third', 3))
    expect(unlockMasterKey(fs, bricks, 'third').masterKey).toEqual(masterKey)
  })
})

test('canonical JSON sorts keys and knows one spelling of a number', () => {
  const value = { b: [1, null, 'é"\n'], a: { z: true, y: undefined, x: 0 } }
  expect(canonicalJson(value)).toBe('{"a":{"x":0,"z":true},"b":[1,null,"é\\"\\n"]}')
  expect(() => canonicalJson(1.5)).toThrow('safe integers')
  expect(() => canonicalJson(-0)).toThrow('safe integers')
})
