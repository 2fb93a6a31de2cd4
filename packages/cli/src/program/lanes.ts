/** How many worker threads: --lanes, OPENMAAS_LANES, the configuration file. */
import { MaasError } from '@openmaas/kernel/errors'
import type { Input } from './input.ts'
import type { Site } from './site.ts'

/** As captureTree's LANES_MAX, which is not imported for its weight; restore caps by itself. */
const LANES_MAX = 16

/** @returns undefined for the default. @throws MaasError USAGE, CONFIG_INVALID */
export function laneCount(input: Input, { settings }: Site): number | undefined {
  const given = input.integer('lanes', { min: 1, max: LANES_MAX })
  if (given !== undefined) return given
  const configured = settings.get('lanes')
  if (configured === undefined) return undefined
  if (/^\d{1,2}$/.test(configured) && Number(configured) >= 1 && Number(configured) <= LANES_MAX) {
    return Number(configured)
  }
  const message = `lanes wants a number from 1 to ${LANES_MAX}, not "${configured}"`
  throw new MaasError('CONFIG_INVALID', message, { name: 'lanes' })
}
