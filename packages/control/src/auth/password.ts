/**
 * Passwords: argon2id, with its parameters in the text (PHC string format), stretched in another
 * thread. Each stretch takes 32 MiB and tens of milliseconds, so only a few run at a time.
 */
import { argon2, timingSafeEqual } from 'node:crypto'
import { MaasError } from '@openmaas/kernel/errors'
import type { Random } from '@openmaas/kernel/random'

export interface PasswordCost {
  readonly memoryKiB: number
  readonly passes: number
  readonly parallelism: number
}

/** Above what OWASP asks for at least (19 MiB, 2 passes). */
const COST: PasswordCost = { memoryKiB: 32 * 1024, passes: 3, parallelism: 1 }
const SALT_SIZE = 16
const HASH_SIZE = 32
/** What a row may ask of this machine: somebody who writes the catalog must not stop it. */
const MEMORY_KIB_MAX = 256 * 1024
const PASSES_MAX = 16
const PARALLELISM_MAX = 8

/** Stretches at a time: 64 MiB, and no more threads of libuv's four than half. */
const RUNNING_MAX = 2
/** Waiting: some seconds of work; who comes later is asked to come again. */
const WAITING_MAX = 64

/** NIST SP 800-63B: length is what counts; composition rules are not asked for. */
const LENGTH_MIN = 12
const LENGTH_MAX = 256
/** `aaaaaaaaaaaa` and `121212121212` are long, but the first to be tried. */
const DISTINCT_MIN = 5
const COMMON = ['password', 'openmaas', 'qwertyuiop', '123456789', 'administrator', 'letmein']

const PHC = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

export class PasswordHasher {
  readonly #random: Random
  readonly #cost: PasswordCost
  readonly #waiting: (() => void)[] = []
  #running = 0
  #decoy: Promise<string> | undefined

  /** @param cost cheaper in tests only */
  constructor(random: Random, cost: PasswordCost = COST) {
    this.#random = random
    this.#cost = cost
  }

  /** @throws MaasError LOGIN_THROTTLED */
  async hash(password: string): Promise<string> {
    const salt = this.#random.bytes(SALT_SIZE)
    const { memoryKiB, passes, parallelism } = this.#cost
    const hash = await this.#stretch(password, salt, this.#cost)
    const parameters = `m=${memoryKiB},t=${passes},p=${parallelism}`
    return `$argon2id$v=19$${parameters}$${unpadded(salt)}$${unpadded(hash)}`
  }

  /**
   * Costs the same for somebody who does not exist, or has no password: null.
   *
   * @throws MaasError LOGIN_THROTTLED
   */
  async verify(phc: string | null, password: string): Promise<boolean> {
    const { cost, salt, hash } = parsePhc(phc ?? (await this.#makeDecoy()))
    const made = await this.#stretch(password, salt, cost)
    return timingSafeEqual(made, hash) && phc !== null
  }

  /** True when it was made with another cost than today's. */
  isOutdated(phc: string): boolean {
    const { cost } = parsePhc(phc)
    return (
      cost.memoryKiB !== this.#cost.memoryKiB ||
      cost.passes !== this.#cost.passes ||
      cost.parallelism !== this.#cost.parallelism
    )
  }

  #makeDecoy(): Promise<string> {
    this.#decoy ??= this.hash(this.#random.bytes(SALT_SIZE).toString('hex'))
    return this.#decoy
  }

  async #stretch(password: string, salt: Buffer, cost: PasswordCost): Promise<Buffer> {
    await this.#enter()
    try {
      return await stretch(password, salt, cost)
    } finally {
      const next = this.#waiting.shift()
      // The place goes to who waits, not to who comes this moment.
      if (next === undefined) this.#running -= 1
      else next()
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < RUNNING_MAX) {
      this.#running += 1
      return
    }
    if (this.#waiting.length >= WAITING_MAX) {
      const message = 'too many logins at once'
      throw new MaasError('LOGIN_THROTTLED', message, { retryAfterSeconds: 2 })
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }
}

function stretch(password: string, salt: Buffer, cost: PasswordCost): Promise<Buffer> {
  const parameters = {
    // One spelling of each character, however the keyboard composed it.
    message: Buffer.from(password.normalize('NFC')),
    nonce: salt,
    memory: cost.memoryKiB,
    passes: cost.passes,
    parallelism: cost.parallelism,
    tagLength: HASH_SIZE,
  }
  return new Promise((resolve, reject) => {
    argon2('argon2id', parameters, (error, hash) => {
      if (error === null) resolve(hash)
      else reject(error)
    })
  })
}

function parsePhc(phc: string): { cost: PasswordCost; salt: Buffer; hash: Buffer } {
  const match = PHC.exec(phc)
  const [memoryKiB, passes, parallelism] = [1, 2, 3].map((i) => Number(match?.[i])) as [
    number,
    number,
    number,
  ]
  const salt = Buffer.from(match?.[4] ?? '', 'base64')
  const hash = Buffer.from(match?.[5] ?? '', 'base64')
  const sound =
    memoryKiB <= MEMORY_KIB_MAX &&
    passes <= PASSES_MAX &&
    parallelism <= PARALLELISM_MAX &&
    salt.length === SALT_SIZE &&
    hash.length === HASH_SIZE
  if (!sound) throw new MaasError('SEALED_INVALID', 'a stored password is damaged')
  return { cost: { memoryKiB, passes, parallelism }, salt, hash }
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}

/** @throws MaasError PASSWORD_UNFIT */
export function checkNewPassword(password: string, userName: string): void {
  const folded = password.toLowerCase()
  const reason =
    password.length < LENGTH_MIN || password.length > LENGTH_MAX
      ? 'length'
      : new Set(password).size < DISTINCT_MIN
        ? 'monotonous'
        : folded.includes(userName.toLowerCase()) && userName.length >= 4
          ? 'name'
          : COMMON.some((common) => folded.startsWith(common) && folded.length <= common.length + 8)
            ? 'common'
            : undefined
  if (reason === undefined) return
  const details = { reason, lengthMin: LENGTH_MIN, lengthMax: LENGTH_MAX }
  throw new MaasError('PASSWORD_UNFIT', 'the password is too easily guessed', details)
}

/** Without what looks alike: 32 letters, five bits each. */
const READABLE = 'abcdefghijkmnopqrstuvwxyz2346789'

/** 100 random bits in four groups, to be read from a terminal. */
export function makePassword(random: Random): string {
  const letters = [...random.bytes(20)].map((byte) => READABLE[byte & 31]!).join('')
  return letters.match(/.{5}/g)!.join('-')
}
