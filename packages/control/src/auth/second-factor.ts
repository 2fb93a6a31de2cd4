/**
 * TOTP (RFC 6238) with recovery codes, as one sealed value in the row of its user. Values in,
 * values out: whoever saves the result does it in the transaction that read it, so that a step
 * or a recovery code is taken once.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { Secret, TOTP } from 'otpauth'
import { z } from 'zod'
import type { Random } from '@openmaas/kernel/random'

/** RFC 4226 asks for 160 bits. */
const SECRET_SIZE = 20
const PERIOD_SECONDS = 30
/** A phone may be half a minute off, either way. */
const WINDOW_STEPS = 1
const RECOVERY_COUNT = 10
const ISSUER = 'OpenMaaS'
/** Crockford's letters, five bits each: 50 bits a code, with no hash worth stretching for. */
const LETTERS = '0123456789abcdefghjkmnpqrstvwxyz'
const RECOVERY_LENGTH = 10

export const secondFactor = z.object({
  /** Base 32. */
  secret: z.string(),
  /** False until a first code has shown that the app has it. */
  confirmed: z.boolean(),
  /** The last step that was used; none before or at it is taken again. */
  usedStep: z.number(),
  /** SHA-256, hex. */
  recovery: z.array(z.string()),
})
export type SecondFactor = z.infer<typeof secondFactor>

function totpOf(secret: string, label: string): TOTP {
  return new TOTP({
    issuer: ISSUER,
    label,
    algorithm: 'SHA1',
    digits: 6,
    period: PERIOD_SECONDS,
    secret: Secret.fromBase32(secret),
  })
}

/** @returns the factor to keep, and the text that an app reads as a QR code */
export function beginSecondFactor(
  userName: string,
  random: Random,
): { factor: SecondFactor; uri: string } {
  const bytes = random.bytes(SECRET_SIZE)
  const secret = new Secret({ buffer: new Uint8Array(bytes).buffer }).base32
  const factor = { secret, confirmed: false, usedStep: 0, recovery: [] }
  return { factor, uri: totpOf(secret, userName).toString() }
}

/** @returns the factor with the step used up, or undefined when the code is wrong or was used */
export function takeTotp(
  factor: SecondFactor,
  code: string,
  wallMs: number,
): SecondFactor | undefined {
  if (!/^\d{6}$/.test(code)) return undefined
  const totp = totpOf(factor.secret, '')
  const delta = totp.validate({ token: code, timestamp: wallMs, window: WINDOW_STEPS })
  if (delta === null) return undefined
  const step = Math.floor(wallMs / 1000 / PERIOD_SECONDS) + delta
  return step > factor.usedStep ? { ...factor, usedStep: step } : undefined
}

/** A code of the app, or a recovery code: each is taken once. */
export function takeCode(
  factor: SecondFactor,
  code: string,
  wallMs: number,
): SecondFactor | undefined {
  const typed = code.trim().replaceAll(' ', '')
  return takeTotp(factor, typed, wallMs) ?? takeRecovery(factor, typed)
}

function takeRecovery(factor: SecondFactor, code: string): SecondFactor | undefined {
  const hash = hashRecovery(code)
  const index = factor.recovery.findIndex((known) =>
    timingSafeEqual(Buffer.from(known, 'hex'), Buffer.from(hash, 'hex')),
  )
  return index < 0 ? undefined : { ...factor, recovery: factor.recovery.toSpliced(index, 1) }
}

/** @returns the factor in force with its recovery codes, which are shown once */
export function confirmSecondFactor(
  factor: SecondFactor,
  random: Random,
): { factor: SecondFactor; recoveryCodes: string[] } {
  const recoveryCodes = Array.from({ length: RECOVERY_COUNT }, () => {
    const letters = [...random.bytes(RECOVERY_LENGTH)].map((byte) => LETTERS[byte & 31]!).join('')
    return `${letters.slice(0, 5)}-${letters.slice(5)}`
  })
  const recovery = recoveryCodes.map((code) => hashRecovery(code))
  return { factor: { ...factor, confirmed: true, recovery }, recoveryCodes }
}

function hashRecovery(code: string): string {
  const folded = code.toLowerCase().replaceAll('-', '')
  return createHash('sha256').update(`openmaas recovery ${folded}`).digest('hex')
}
