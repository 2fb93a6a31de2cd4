/** One group: its members, and the moments at which all of them can be had. */
import { useState } from 'react'
import { useMutation, useQuery, useQueryClient, useSuspenseQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import { ApiError } from '@openmaas/api/client'
import type { Group, GroupPoint } from '@openmaas/api/resources/group'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { DestructiveDialog, type Plan } from '../../ui/DestructiveDialog.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { Page } from '../../ui/Page.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { Time } from '../../ui/Time.tsx'
import { useMediumNames } from '../media/use-medium-names.ts'
import { usePolicyName } from '../sources/use-names.ts'
import { groupsMessages } from './messages/text.ts'
import { MakeDialog } from './MakeDialog.tsx'
import { groupPointsQuery, groupQuery } from './queries.ts'
import { groupRoute } from './routes.ts'

export function GroupPage() {
  const text = useText(groupsMessages)
  const may = useMay()
  const { groupId } = groupRoute.useParams()
  const { data: group } = useSuspenseQuery(groupQuery(groupId))
  const { problem } = group
  const shown = { type: '', docs: '', status: 0, title: text('problem') }
  return (
    <Page
      title={group.name}
      crumbs={[{ label: text('title'), to: '/groups' }]}
      actions={<Actions group={group} />}
      cli={`openmaas group show ${group.name}`}
      api={`GET /api/v1/groups/${groupId}`}
    >
      {problem !== null && (
        <ProblemView
          error={
            new ApiError({
              ...shown,
              detail: problem.message,
              hint: problem.hint ?? '',
              code: problem.code,
            })
          }
        />
      )}
      <div className="om-columns">
        <section className="om-panel">
          <h2>{text('about')}</h2>
          <Facts group={group} />
        </section>
        {may('point.read') && <Points group={group} />}
      </div>
    </Page>
  )
}

function Actions({ group }: { readonly group: Group }) {
  const text = useText(groupsMessages)
  const may = useMay()
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const [isRemoving, setRemoving] = useState(false)
  const params = { groupId: group.id }
  const protect = useMutation({
    mutationFn: () => apiCall('protectGroup', { params, body: {} }),
    onSuccess: ({ jobId }) => navigate({ to: '/jobs/$jobId', params: { jobId } }),
  })
  return (
    <>
      {may('source.write') && (
        <Button danger onClick={() => setRemoving(true)} data-testid="delete-group">
          {text('delete')}
        </Button>
      )}
      {may('source.protect') && (
        <Button
          type="primary"
          loading={protect.isPending}
          onClick={() => protect.mutate()}
          data-testid="protect-group"
        >
          {text('protect')}
        </Button>
      )}
      {protect.isError && <ProblemView error={protect.error} />}
      {isRemoving && (
        <DestructiveDialog
          title={text('delete')}
          name={group.name}
          plan={(body) => apiCall('deleteGroup', { params, body, dryRun: true }) as Promise<Plan>}
          perform={async (body) => {
            await apiCall('deleteGroup', { params, body })
            void navigate({ to: '/groups' })
            await queryClient.invalidateQueries({ queryKey: ['groups', 'listGroups'] })
          }}
          onClose={() => setRemoving(false)}
        />
      )}
    </>
  )
}

function Facts({ group }: { readonly group: Group }) {
  const text = useText(groupsMessages)
  const format = useFormat()
  const names = useMediumNames()
  const policyName = usePolicyName()
  const { sourceIds, policyId, clockLimitMs, lastPointAt, nextRunAt } = group
  return (
    <dl className="om-facts" data-testid="group-facts">
      <dt>{text('members')}</dt>
      <dd>
        {sourceIds.map((sourceId) => (
          <div key={sourceId}>
            <Link to="/sources/$sourceId" params={{ sourceId }}>
              {names.source(sourceId)}
            </Link>
          </div>
        ))}
      </dd>
      <dt>{text('policy')}</dt>
      <dd>{policyId === null ? text('policy.none') : policyName(policyId)}</dd>
      <dt>{text('lastPoint')}</dt>
      <dd>
        <Time at={lastPointAt} />
      </dd>
      {nextRunAt !== null && (
        <>
          <dt>{text('nextRun')}</dt>
          <dd>
            <Time at={nextRunAt} />
          </dd>
        </>
      )}
      <dt>{text('clock')}</dt>
      <dd>{format.duration(clockLimitMs)}</dd>
    </dl>
  )
}

function Points({ group }: { readonly group: Group }) {
  const text = useText(groupsMessages)
  const format = useFormat()
  const may = useMay()
  const [making, setMaking] = useState<GroupPoint>()
  const { data, error } = useQuery(groupPointsQuery(group.id))
  return (
    <section className="om-panel" data-testid="group-points">
      <h2>{text('points')}</h2>
      {error !== null && <ProblemView error={error} />}
      {data?.items.length === 0 && <Empty message={text('points.empty')} />}
      <ul className="om-steps">
        {data?.items.map((point) => (
          <li key={point.id}>
            <strong>{format.exact(point.at)}</strong>
            <Time at={point.at} />
            <span className="om-quiet">
              {point.clockSpreadMs === null
                ? text('points.unmeasured')
                : text('points.spread', { time: format.duration(point.clockSpreadMs) })}
            </span>
            {may('virtual-database.create') && (
              <Button size="small" onClick={() => setMaking(point)} data-testid="group-databases">
                {text('points.make')}
              </Button>
            )}
          </li>
        ))}
      </ul>
      {making !== undefined && (
        <MakeDialog group={group} point={making} onClose={() => setMaking(undefined)} />
      )}
    </section>
  )
}
