/**
 * The dangerous verbs: first the plan, then the name typed again and a reason, then the deed.
 * With four eyes the server asks for an approval; the answer says how to get one.
 */
import type { RouteName } from '@openmaas/api/routes/routes'
import { MaasError } from '@openmaas/kernel/errors'
import { formatBytes } from '@openmaas/kernel/units'
import { printable } from '../format/width.ts'
import { ask, canAsk } from '../program/terminal.ts'
import type { Row, Server } from './server.ts'
import { formatOf, showRow } from './show.ts'

export interface DangerousDeed {
  readonly route: RouteName
  readonly params: object
  /** What has to be typed again. */
  readonly name: string
  readonly query?: object
  /** Of the body, beside consent. */
  readonly wish?: object
}

export interface Plan {
  readonly plan?: readonly { action: string; object: string; name?: string; detail?: string }[]
  readonly freesBytes?: number
  readonly warnings?: readonly string[]
}

export function showPlan(server: Server, plan: Plan): void {
  const { out, text } = server.site
  for (const { action, object, name, detail } of plan.plan ?? []) {
    const parts = [action, name ?? '', object, detail ?? ''].filter((part) => part !== '')
    out.note(`  ${printable(parts.join('  '))}`)
  }
  if (plan.freesBytes !== undefined) {
    out.note(`  ${text('danger.frees', { size: formatBytes(plan.freesBytes) })}`)
  }
  for (const warning of plan.warnings ?? []) {
    out.note(`${out.paint('yellow', text('warning.label'))} ${printable(warning)}`)
  }
}

export async function confirmName(server: Server, name: string): Promise<void> {
  const { site, input } = server
  if (input.has('yes')) return
  if (!canAsk() || site.out.json) {
    throw new MaasError('USAGE', site.text('usage.yes'), { option: 'yes' })
  }
  const answer = await ask(site, site.text('danger.type', { name }), { secret: false })
  if (answer.trim() !== name) throw new MaasError('CANCELLED', site.text('ask.no'))
}

export async function reasonOf(server: Server): Promise<string> {
  const { site, input } = server
  const given = input.text('reason')
  if (given !== undefined) return given
  if (canAsk()) return ask(site, site.text('danger.reason'), { secret: false })
  throw new MaasError('USAGE', site.text('usage.reason'), { option: 'reason' })
}

/** @returns the answer of the server; undefined after --dry-run */
export async function doDangerous(server: Server, deed: DangerousDeed): Promise<Row | undefined> {
  const { site, input } = server
  const { route, params, name, query = {}, wish = {} } = deed
  const approvalId = input.text('approval')
  const isDry = input.has('dry-run')
  const preview = { ...wish, confirm: name, reason: input.text('reason') ?? 'preview' }
  const { body: plan } = await server.request(route, { params, query, body: preview, dryRun: true })
  if (isDry) {
    if (formatOf(input, site) === 'table') showPlan(server, plan as Plan)
    else showRow(plan, { site, input })
    return undefined
  }
  if (!site.out.json) showPlan(server, plan as Plan)
  await confirmName(server, name)
  const reason = await reasonOf(server)
  const body = { ...wish, confirm: name, reason, ...(approvalId !== undefined && { approvalId }) }
  return (await server.request(route, { params, query, body })).body
}
