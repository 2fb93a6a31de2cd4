/** What others watch us with stands on series that we have: deploy/prometheus, deploy/grafana. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Histogram, Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { makeSeries } from './series.ts'

const deploy = (path: string): string =>
  fileURLToPath(new URL(`../../../../../deploy/${path}`, import.meta.url))
const RULES = deploy('prometheus/rules.yaml')
const PROMTOOL = process.env['PROMTOOL'] ?? '/usr/bin/promtool'

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string }
}

interface Panel {
  readonly id: number
  readonly title: string
  readonly targets: readonly { readonly expr: string }[]
}

/** Name → labels of every series. */
function labelsByName(): ReadonlyMap<string, readonly string[]> {
  const registry = new Registry()
  makeSeries(registry)
  const names = new Map<string, readonly string[]>()
  for (const metric of registry.getMetricsAsArray()) {
    const { labelNames } = metric as unknown as { readonly labelNames: readonly string[] }
    const endings = metric instanceof Histogram ? ['_bucket', '_count', '_sum'] : ['']
    for (const ending of endings) names.set(`${metric.name}${ending}`, [...labelNames, 'le'])
  }
  return names
}

function checkExpression(expr: string): void {
  const known = labelsByName()
  const used = expr.match(/openmaas_\w+/g) ?? []
  expect(used.length, expr).toBeGreaterThan(0)
  for (const name of used) expect(known.has(name), `${name} in ${expr}`).toBe(true)
  for (const [, name, selectors] of expr.matchAll(/(openmaas_\w+)\{([^}]*)\}/g)) {
    for (const [, label] of selectors!.matchAll(/(\w+)\s*(?:=|!=|=~|!~)\s*"/g)) {
      expect(known.get(name!), `label ${label} in ${expr}`).toContain(label)
    }
  }
  expect(expr.split('(').length, `brackets of ${expr}`).toBe(expr.split(')').length)
}

function readPanels(): readonly Panel[] {
  const text = readFileSync(deploy('grafana/openmaas.json'), 'utf8')
  const { panels } = JSON.parse(text) as { readonly panels: readonly Panel[] }
  return panels
}

test('every rule asks for series and labels that exist, and says what to do', () => {
  const { groups } = parse(readFileSync(RULES, 'utf8')) as {
    readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[]
  }
  const rules = groups.flatMap((group) => group.rules)
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
  expect(rules.length).toBeGreaterThanOrEqual(10)
  for (const { expr, labels, annotations } of rules) {
    checkExpression(expr)
    expect(['warning', 'critical']).toContain(labels.severity)
    expect(annotations.summary.length).toBeGreaterThan(10)
    expect(annotations.description.length).toBeGreaterThan(10)
  }
})

test('every panel of the dashboard asks for series and labels that exist', () => {
  const panels = readPanels()
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  for (const { title, targets } of panels) {
    expect(title.length).toBeGreaterThan(0)
    for (const { expr } of targets) checkExpression(expr)
  }
})

const isMissing = !existsSync(PROMTOOL)
const run = promisify(execFile)

function testWithPromtool(title: string, body: () => Promise<void>): void {
  test.skipIf(isMissing)(isMissing ? `skipped: promtool missing (${title})` : title, body)
}

testWithPromtool('promtool takes the rules', async () => {
  const { stdout } = await run(PROMTOOL, ['check', 'rules', RULES])
  expect(stdout).toContain('SUCCESS')
})

testWithPromtool('promtool takes every expression of the dashboard', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'openmaas-dashboard-'))
  const path = join(directory, 'rules.yaml')
  const rules = readPanels().flatMap(({ id, targets }) =>
    targets.map(({ expr }, index) => ({ record: `panel:${id}:${index}`, expr })),
  )
  writeFileSync(path, stringify({ groups: [{ name: 'dashboard', rules }] }))
  const { stdout } = await run(PROMTOOL, ['check', 'rules', path])
  rmSync(directory, { recursive: true })
  expect(stdout).toContain(`SUCCESS: ${rules.length} rules found`)
})
