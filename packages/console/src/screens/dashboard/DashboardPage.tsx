/** "Am I safe, and can I get it back?" in one look. */
import { lazy, Suspense } from 'react'
import { useSuspenseQuery } from '@tanstack/react-query'
import { apiQuery } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { Page } from '../../ui/Page.tsx'
import { Attention } from './Attention.tsx'
import { FirstRun } from './FirstRun.tsx'
import { dashboardMessages } from './messages/text.ts'
import { Tiles } from './Tiles.tsx'

/** Ages grow without an event. */
const RENEW_EVERY_MS = 15_000

// Below the first look, and fetched after it.
const Pools = lazy(async () => ({ default: (await import('./Pools.tsx')).Pools }))
const RunningJobs = lazy(async () => ({ default: (await import('./RunningJobs.tsx')).RunningJobs }))
const SiteTrends = lazy(async () => ({
  default: (await import('../trends/SiteTrends.tsx')).SiteTrends,
}))

export function DashboardPage() {
  const text = useText(dashboardMessages)
  const may = useMay()
  const { data: status } = useSuspenseQuery({
    ...apiQuery('getStatus'),
    refetchInterval: RENEW_EVERY_MS,
  })
  return (
    <Page title={text('title')} cli="openmaas status" api="GET /api/v1/status">
      <FirstRun status={status} />
      <Tiles status={status} />
      <Attention rows={status.attention} />
      <Suspense fallback={<div className="ant-skeleton" />}>
        {may('pool.read') && <Pools />}
        {may('pool.read') && <SiteTrends />}
        {may('job.read') && <RunningJobs />}
      </Suspense>
    </Page>
  )
}
