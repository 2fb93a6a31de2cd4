/** What Prometheus reads, on both dialects. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { describeBothCatalogs } from '../../catalog/both-catalogs.test-support.ts'
import { appendEvent } from '../../catalog/events.ts'
import { GIB, makeSite, statsJson } from '../monitor.test-support.ts'
import type { MonitoredSite } from '../monitor.test-support.ts'

/** Fixed from day one: CONVENTIONS of the project, section 7. */
const FIXED = [
  'openmaas_source_last_success_timestamp_seconds',
  'openmaas_source_last_size_bytes',
  'openmaas_source_recovery_point_count',
  'openmaas_source_oldest_point_timestamp_seconds',
  'openmaas_source_newest_point_timestamp_seconds',
  'openmaas_source_sla_compliant',
  'openmaas_sources_unprotected',
  'openmaas_job_duration_seconds',
  'openmaas_jobs_running',
  'openmaas_pool_size_bytes',
  'openmaas_pool_used_bytes',
  'openmaas_pool_logical_bytes',
  'openmaas_pool_physical_bytes',
  'openmaas_pool_dedup_ratio',
  'openmaas_pool_days_to_full',
  'openmaas_pool_bad_blocks_total',
  'openmaas_mounts_active',
  'openmaas_mount_ready_seconds',
  'openmaas_drill_last_success_timestamp_seconds',
  'openmaas_drill_rto_seconds',
  'openmaas_agent_up',
  'openmaas_agent_cert_expiry_timestamp_seconds',
  'openmaas_archive_lag_seconds',
]

const HOUR_MS = 3_600_000

/** Lines of one metric. */
async function scrape(site: MonitoredSite): Promise<(name: string) => string[]> {
  const { text } = await site.monitor.metrics.render()
  const lines = text.split('\n')
  return (name) => lines.filter((line) => new RegExp(`^${name}[{ ]`).test(line))
}

describeBothCatalogs('metrics', (make) => {
  test('have every name that was fixed', async () => {
    const site = await makeSite(make)
    const { text, contentType } = await site.monitor.metrics.render()
    for (const name of FIXED) expect(text).toContain(`# TYPE ${name} `)
    expect(contentType).toMatch(/^text\/plain/)
  })

  test('tell how each source stands', async () => {
    const site = await makeSite(make)
    const now = site.clock.wallMs()
    await site.addHost()
    await site.addPolicy({ verify: { every: '7d', data: false, points: 'newest' } })
    const lastSuccessAt = now - 2 * HOUR_MS
    await site.addSource({ lastSuccessAt, lastPointId: 'pnt_2', createdAt: now - 99 * HOUR_MS })
    await site.addSource({ id: 'src_2', name: 'other', labelsJson: '{}' })
    await site.addPoint({ id: 'pnt_0', takenAt: now - 9 * HOUR_MS, state: 'deleted' })
    await site.addPoint({ id: 'pnt_1', takenAt: now - 5 * HOUR_MS })
    await site.addPoint({ id: 'pnt_2', takenAt: now - 2 * HOUR_MS, sizeBytes: 777 })
    const lines = await scrape(site)
    const of = (at: number): string => `{source="src_1"} ${at / 1000}`
    expect(lines('openmaas_source_last_success_timestamp_seconds')).toEqual([
      `openmaas_source_last_success_timestamp_seconds${of(lastSuccessAt)}`,
    ])
    expect(lines('openmaas_source_oldest_point_timestamp_seconds')[0]).toContain(
      of(now - 5 * HOUR_MS),
    )
    expect(lines('openmaas_source_newest_point_timestamp_seconds')[0]).toContain(of(lastSuccessAt))
    expect(lines('openmaas_source_last_size_bytes')[0]).toContain('{source="src_1"} 777')
    expect(lines('openmaas_source_recovery_point_count')).toEqual([
      'openmaas_source_recovery_point_count{source="src_1"} 2',
      'openmaas_source_recovery_point_count{source="src_2"} 0',
    ])
    expect(lines('openmaas_source_sla_compliant')).toEqual([
      'openmaas_source_sla_compliant{source="src_1",rule="rpo"} 0',
      'openmaas_source_sla_compliant{source="src_1",rule="verify"} 1',
    ])
    expect(lines('openmaas_sources_unprotected')).toEqual(['openmaas_sources_unprotected 1'])
    expect(lines('openmaas_source_info')[0]).toBe(
      'openmaas_source_info{source="src_1",name="data",host="web"} 1',
    )
  })

  test('tell of pools, hosts, media and jobs, and nothing of a pool that has not reported', async () => {
    const site = await makeSite(make)
    const notAfter = site.clock.wallMs() + HOUR_MS
    await site.addHost({ certificateNotAfter: notAfter })
    await site.addHost({ id: 'hst_2', name: 'gone', state: 'removed' })
    await site.addPool({ statsJson: statsJson({ badBlocks: 2 }) })
    await site.addPool({ id: 'pol_2', statsJson: '{}' })
    await site.addMedium()
    await site.addJob({ id: 'job_1', state: 'running', kind: 'verify', endedAt: null })
    const lines = await scrape(site)
    const pool = '{pool="pol_1",name="main"}'
    expect(lines('openmaas_pool_used_bytes')).toEqual([
      `openmaas_pool_used_bytes${pool} ${400 * GIB}`,
    ])
    expect(lines('openmaas_pool_dedup_ratio')).toEqual([`openmaas_pool_dedup_ratio${pool} 3`])
    expect(lines('openmaas_pool_bad_blocks_total')).toEqual([
      `openmaas_pool_bad_blocks_total${pool} 2`,
    ])
    const host = '{host="hst_1",name="web",role="agent"}'
    expect(lines('openmaas_agent_up')).toEqual([`openmaas_agent_up${host} 1`])
    expect(lines('openmaas_agent_cert_expiry_timestamp_seconds')).toEqual([
      `openmaas_agent_cert_expiry_timestamp_seconds${host} ${notAfter / 1000}`,
    ])
    expect(lines('openmaas_mounts_active')).toEqual(['openmaas_mounts_active 1'])
    expect(lines('openmaas_jobs_running')).toEqual(['openmaas_jobs_running{kind="verify"} 1'])
  })

  test('are made once in five seconds, however many ask', async () => {
    const site = await makeSite(make)
    await site.addMedium()
    const before = await scrape(site)
    await site.addMedium({ id: 'mnt_2' })
    expect(await site.monitor.metrics.render()).toEqual(await site.monitor.metrics.render())
    expect(before('openmaas_mounts_active')).toEqual((await scrape(site))('openmaas_mounts_active'))
    site.clock.advance(5000)
    expect((await scrape(site))('openmaas_mounts_active')).toEqual(['openmaas_mounts_active 2'])
  })

  test('count jobs and mounts by what their events say, without the ids of points', async () => {
    const site = await makeSite(make)
    await site.addMedium({ createdAt: site.clock.wallMs() - 2500 })
    await site.monitor.start()
    const data = { kind: 'protect', state: 'succeeded', durationMs: 70_000, pointId: 'pnt_secret' }
    await site.catalog.transaction(async (trx) => {
      const about = { subject: 'job_1', labels: {}, data }
      await appendEvent(trx, { topic: 'jobs', type: 'job.ended', ...about }, site.clock)
      const plugged = { subject: 'mnt_1', labels: {}, data: { pointId: 'pnt_secret' } }
      await appendEvent(trx, { topic: 'media', type: 'medium.plugged', ...plugged }, site.clock)
    })
    await expect
      .poll(async () => {
        site.clock.advance(5000)
        return (await site.monitor.metrics.render()).text
      })
      .toContain('openmaas_mount_ready_seconds_bucket{le="3"} 1')
    const { text } = await site.monitor.metrics.render()
    expect(text).toContain('openmaas_mount_ready_seconds_bucket{le="2"} 0')
    const labels = 'le="300",kind="protect",result="succeeded"'
    expect(text).toContain(`openmaas_job_duration_seconds_bucket{${labels}} 1`)
    expect(text).not.toContain('pnt_')
    await site.monitor.stop()
  })

  test('of ten thousand sources are one grouped answer of some megabytes', async () => {
    const site = await makeSite(make)
    await site.addHost()
    await site.addPolicy()
    await sql`insert into source (id, name, host_id, kind, path, options_json, labels_json, paused,
        last_success_at, created_at, version)
      with recursive n(i) as (select 0 union all select i + 1 from n where i < 9999)
      select 'src_' || i, 'n' || i, 'hst_1', 'files', '/', '{}', '{"env":"prod"}', 0,
        ${sql.lit(site.clock.wallMs())}, 0, 1 from n`.execute(site.catalog.db)
    const before = process.cpuUsage()
    const lines = await scrape(site)
    const { user, system } = process.cpuUsage(before)
    expect(lines('openmaas_source_sla_compliant')).toHaveLength(10_000)
    const cpuMs = Math.round((user + system) / 1000)
    process.stdout.write(`first scrape of 10,000 sources: ${cpuMs} ms of processor time\n`)
  })
})
