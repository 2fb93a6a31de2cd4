/** What would come of a policy: a preview, a simulated year, the next runs, a calendar. */
import { setImmediate as turn } from 'node:timers/promises'
import { matchesLabels } from '@openmaas/api/permissions'
import { policySpec } from '@openmaas/api/policy'
import { showReason } from '@openmaas/api/policy-text'
import { timeOf } from '../http/columns.ts'
import type { HandlerContext } from '../http/handler-context.ts'
import { type HandlerRequest, type Handlers, objectNotFound } from '../http/handler.ts'
import { writeCalendar } from './calendar.ts'
import { loadPolicy } from './handlers.ts'
import { cronText, previewPolicy } from './preview.ts'
import { type Policies, type Policy, loadPolicies, parsePolicy } from './resolve.ts'
import { Runs } from './runs.ts'
import { runSimulation } from './simulate.ts'
import { DAY_MS, dateOfDay } from './zone.ts'

/** A month ahead is what people plan by; a promise of a minute is cut off before. */
const CALENDAR_MS = 31 * DAY_MS
const CALENDAR_RUNS_MAX = 2000
const SHOWN_SOURCES_MAX = 1000
const SHOWN_POINTS_MAX = 10_000

type OutlookContext = Pick<HandlerContext, 'catalog' | 'clock'>

export function makePolicyOutlookHandlers(context: OutlookContext) {
  return {
    previewPolicy: (request) => preview(context, request),
    simulatePolicy: (request) => simulate(context, request),
    listNextRuns: async ({ params, query, language }) => {
      const { spec } = parsePolicy(await loadPolicy(context.catalog.db, params.policyId))
      const runs = new Runs(spec, '').list(context.clock.wallMs(), query.limit)
      const items = runs.map((run) => timeOf(run))
      return { body: { items, cronText: cronText(spec, language) } }
    },
    getPolicyCalendar: (request) => calendar(context, request),
  } satisfies Handlers
}

function wished(
  policies: Policies,
  body: HandlerRequest<'previewPolicy'>['body'],
): { readonly policy: Policy } {
  const replaced = body.policyId === undefined ? undefined : policies.get(body.policyId)
  if (body.policyId !== undefined && replaced === undefined) {
    throw objectNotFound('policy', body.policyId)
  }
  return {
    policy: {
      id: body.policyId ?? 'plc_preview',
      name: replaced?.name ?? '',
      selector: body.selector ?? replaced?.selector ?? null,
      priority: replaced?.priority ?? 0,
      enabled: true,
      version: 0,
      spec: policySpec.parse(body.spec),
    },
  }
}

async function preview(context: OutlookContext, request: HandlerRequest<'previewPolicy'>) {
  const { catalog, clock } = context
  const { body, principal, language } = request
  const policies = await loadPolicies(catalog.db)
  const { policy } = wished(policies, body)
  const isVisible = (labels: Readonly<Record<string, string>>): boolean =>
    matchesLabels(principal.scope, labels)
  const now = clock.wallMs()
  const found = await previewPolicy(catalog.db, { policy, policies, now, isVisible })
  return {
    body: {
      nextRuns: found.nextRuns.map((run) => timeOf(run)),
      cronText: cronText(policy.spec, language),
      sourceCount: found.sources.length,
      sources: found.sources.slice(0, SHOWN_SOURCES_MAX).map(({ id, name }) => ({ id, name })),
      pointsKept: found.pointsKept,
      expectedBytes: found.expectedBytes,
      expiring: [...found.expiring],
      expiringCount: found.expiring.length,
      warnings: found.warnings.map((warning) => showReason(warning, language)),
    },
  }
}

async function simulate(context: OutlookContext, request: HandlerRequest<'simulatePolicy'>) {
  const { spec, from, days, durationMs: captureMs, addedBytes } = request.body
  const begin = from === undefined ? context.clock.wallMs() : Date.parse(from)
  const course = runSimulation(spec, { from: begin, days, captureMs, addedBytes })
  let step = course.next()
  while (step.done !== true) {
    // Others are served between two days; who has gone needs no answer.
    await turn()
    request.signal.throwIfAborted()
    step = course.next()
  }
  const { taken, kept, violations, points, warnings } = step.value
  return {
    body: {
      taken,
      kept,
      violations,
      days: [...step.value.days],
      points: points.slice(0, SHOWN_POINTS_MAX).map(({ at, reasons }) => ({
        at: timeOf(at),
        reasons: [...reasons],
      })),
      warnings: warnings.map((warning) => showReason(warning, request.language)),
    },
  }
}

async function calendar(context: OutlookContext, request: HandlerRequest<'getPolicyCalendar'>) {
  const { catalog, clock } = context
  const row = await loadPolicy(catalog.db, request.params.policyId)
  const now = clock.wallMs()
  const { spec, id, name } = parsePolicy(row)
  const runs = []
  for (const at of new Runs(spec, '').between(now, now + CALENDAR_MS)) {
    if (runs.length >= CALENDAR_RUNS_MAX) break
    runs.push({ at, summary: `OpenMaaS ${name}` })
  }
  const text = writeCalendar({ name: `OpenMaaS ${name}`, id, now }, runs)
  const disposition = `inline; filename="openmaas-${dateOfDay(Math.floor(now / DAY_MS))}.ics"`
  return {
    body: text,
    contentType: 'text/calendar; charset=utf-8',
    headers: { 'content-disposition': disposition },
  }
}
