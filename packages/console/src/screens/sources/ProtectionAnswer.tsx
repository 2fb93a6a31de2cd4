import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import type { Source } from '@openmaas/api/resources/source'
import { useMay } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { Time } from '../../ui/Time.tsx'
import { sourcesMessages } from './messages/text.ts'
import { answerProtection, type Verdict } from './protection-answer.ts'
import { complianceQuery, newestPointsQuery } from './queries.ts'

/** Verified points are looked for among so many of the newest. */
const POINTS_LOOKED_AT = 100

const LOOK: Readonly<Record<Verdict, string>> = {
  yes: 'yes',
  risk: 'risk',
  no: 'no',
  paused: 'risk',
  unpromised: 'risk',
}

/** The question that everybody comes with, answered in one sentence. */
export function ProtectionAnswer({ source }: { readonly source: Source }) {
  const text = useText(sourcesMessages)
  const format = useFormat()
  const may = useMay()
  const { data: compliance } = useSuspenseQuery(complianceQuery(source.id))
  const points = useQuery({
    ...newestPointsQuery(source.id, POINTS_LOOKED_AT),
    enabled: may('point.read'),
  })
  const answer = answerProtection(source, compliance, points.data?.items ?? [])
  if (points.data === undefined && may('point.read') && points.error === null) return null
  const newestAt = answer.newestAt ?? source.lastSuccessAt
  return (
    <section
      className={`om-panel om-answer om-answer-${LOOK[answer.verdict]}`}
      data-testid="answer"
      data-verdict={answer.verdict}
      aria-label={text('answer.question')}
    >
      <p>
        {text('answer.question')} <strong>{text(`answer.${answer.verdict}`)}</strong>
      </p>
      <p>
        {newestAt === null ? (
          text('answer.noPoint')
        ) : (
          <>
            {text('answer.newest')} <Time at={newestAt} />
          </>
        )}
      </p>
      {newestAt !== null && (
        <p>
          {text(`answer.verification.${answer.verification}`)}{' '}
          {answer.verifiedAt !== null && <Time at={answer.verifiedAt} />}
        </p>
      )}
      {compliance.rpoMs !== null && (
        <p>{text('answer.promise', { time: format.duration(compliance.rpoMs) })}</p>
      )}
      {source.nextRunAt !== null && (
        <p>
          {text('answer.next')} <Time at={source.nextRunAt} />
        </p>
      )}
      {answer.reasons.length > 0 && (
        <p className={answer.verdict === 'no' ? 'om-state-failed' : ''} data-testid="reasons">
          {answer.reasons.join(' · ')}
        </p>
      )}
    </section>
  )
}
