/**
 * How a machine joins: one line to run on it, good once; and what happens, live. The secret is in
 * the line and nowhere else, so a line that was left behind is made anew.
 */
import { useEffect } from 'react'
import { CheckCircleOutlined, LoadingOutlined } from '@ant-design/icons'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import Button from 'antd/es/button'
import type { AnswerOf } from '@openmaas/api/routes/routes'
import { apiCall, apiQuery } from '../../api/queries.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { useNow } from '../../ui/Time.tsx'
import { hostsMessages } from './messages/text.ts'
import { hostQuery } from './queries.ts'

type Made = AnswerOf<'createJoinToken'>

interface Props {
  readonly kind: 'agent' | 'node'
  /** A host that joins again, with a new certificate; its sources stay. */
  readonly hostId?: string
  readonly onJoined?: (hostId: string) => void
}

export function JoinLine({ kind, hostId, onJoined }: Props) {
  const text = useText(hostsMessages)
  const queryClient = useQueryClient()
  const make = useMutation({
    mutationFn: () =>
      apiCall('createJoinToken', { body: { kind, ...(hostId !== undefined && { hostId }) } }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['hosts', 'listJoinTokens'] }),
  })
  const made = make.data?.joinToken.kind === kind ? make.data : undefined
  return (
    <div className="om-form" data-testid="join">
      {made === undefined && (
        <>
          <p>{text(hostId === undefined ? `join.${kind}` : 'join.again')}</p>
          <Button
            type="primary"
            loading={make.isPending}
            onClick={() => make.mutate()}
            style={{ justifySelf: 'start' }}
            data-testid="join-make"
          >
            {text('join.make')}
          </Button>
        </>
      )}
      {make.isError && <ProblemView error={make.error} />}
      {made !== undefined && (
        <Line made={made} onAnother={() => make.mutate()} {...(onJoined && { onJoined })} />
      )}
    </div>
  )
}

const COUNT_DOWN_MS = 1000
/** Tokens that are younger than ours; one machine after the other is usual. */
const TOKENS_LOOKED_AT_MAX = 100

interface LineProps {
  readonly made: Made
  readonly onAnother: () => void
  readonly onJoined?: (hostId: string) => void
}

function Line({ made, onAnother, onJoined }: LineProps) {
  const text = useText(hostsMessages)
  const format = useFormat()
  const now = useNow(COUNT_DOWN_MS)
  const query = { sort: '-createdAt', limit: TOKENS_LOOKED_AT_MAX } as const
  const { data } = useQuery(apiQuery('listJoinTokens', { query }))
  const token = data?.items.find(({ id }) => id === made.joinToken.id) ?? made.joinToken
  const leftMs = Date.parse(token.expiresAt) - now.getTime()
  const { hostId } = token
  const hasJoined = token.usedAt !== null && hostId !== null
  useEffect(() => {
    if (hasJoined) onJoined?.(hostId)
  }, [hasJoined, hostId, onJoined])
  return (
    <>
      <p>{text('join.run')}</p>
      <div className="om-line">
        <code className="om-code" data-testid="join-command">
          {made.command}
        </code>
        <CopyButton value={made.command} label={text('join.copy')} />
      </div>
      <div aria-live="polite" data-testid="join-state">
        {hasJoined && <Joined hostId={hostId} />}
        {!hasJoined && leftMs > 0 && (
          <span>
            <LoadingOutlined aria-hidden /> {text('join.waiting')}
          </span>
        )}
        {!hasJoined && leftMs <= 0 && <span className="om-state-warning">{text('join.over')}</span>}
      </div>
      {!hasJoined && leftMs > 0 && (
        <span className="om-quiet">{text('join.left', { time: format.duration(leftMs) })}</span>
      )}
      {(hasJoined || leftMs <= 0) && (
        <Button onClick={onAnother} style={{ justifySelf: 'start' }} data-testid="join-another">
          {text('join.another')}
        </Button>
      )}
    </>
  )
}

function Joined({ hostId }: { readonly hostId: string }) {
  const text = useText(hostsMessages)
  const { data: host } = useQuery(hostQuery(hostId))
  return (
    <span className="om-state om-state-ok" data-testid="joined">
      <CheckCircleOutlined aria-hidden />
      {text('join.joined', { name: host?.name ?? hostId })}
    </span>
  )
}
