/** One medium, live: how far it is, where it is, how long it stays, and how it goes. */
import { useQuery, useSuspenseQuery } from '@tanstack/react-query'
import { Link, type LinkProps } from '@tanstack/react-router'
import type { Medium } from '@openmaas/api/resources/medium'
import { ApiError } from '@openmaas/api/client'
import { useMay, useMe } from '../../api/session.ts'
import { hasScreen } from '../../app/screens-present.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { Page } from '../../ui/Page.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { Time } from '../../ui/Time.tsx'
import { ExpiresIn } from './ExpiresIn.tsx'
import { MediumActions } from './MediumActions.tsx'
import { MediumSteps } from './MediumSteps.tsx'
import { mediaMessages } from './messages/text.ts'
import { mediumQuery, pointQuery } from './queries.ts'
import { mediumRoute } from './routes.ts'
import { useMediumNames } from './use-medium-names.ts'
import './media.css'

const SECOND_MS = 1000

export function MediumPage() {
  const text = useText(mediaMessages)
  const may = useMay()
  const { mediumId } = mediumRoute.useParams()
  const { data: medium } = useSuspenseQuery(mediumQuery(mediumId))
  return (
    <Page
      title={medium.name}
      mark={<StateTag state={medium.state} />}
      crumbs={[{ label: text('title'), to: '/media' }]}
      actions={<MediumActions medium={medium} />}
      cli={`openmaas media show ${mediumId}`}
      api={`GET /api/v1/media/${mediumId}`}
    >
      <Trouble medium={medium} />
      {medium.state === 'plugged' && <Ready medium={medium} />}
      {medium.state === 'ejected' && <p data-testid="ended">{text('ended')}</p>}
      <div className="om-columns">
        <section className="om-panel">
          <h2>{text('about')}</h2>
          <Facts medium={medium} />
        </section>
        {may('job.read') && <MediumSteps medium={medium} />}
      </div>
    </Page>
  )
}

/** What went wrong, and what is left of it. */
function Trouble({ medium }: { readonly medium: Medium }) {
  const text = useText(mediaMessages)
  const { state, problem } = medium
  if (state === 'lost') return <p className="om-state-warning">{text('lost')}</p>
  if (problem === null || state === 'ejected') return null
  const { code, message, hint = '' } = problem
  const title = state === 'plugged' ? text('stuck') : text('failed')
  const shown = { type: '', docs: '', status: 0, title, detail: message, hint, code }
  return (
    <>
      <ProblemView error={new ApiError(shown)} />
      {state === 'failed' && <p className="om-quiet">{text('failed.text')}</p>}
    </>
  )
}

function Ready({ medium }: { readonly medium: Medium }) {
  const text = useText(mediaMessages)
  const names = useMediumNames()
  const may = useMay()
  const { mountPath, device, hostId, pointId } = medium
  return (
    <section className="om-panel" data-testid="ready">
      <h2>{text('ready')}</h2>
      <p>{text('ready.text', { host: names.host(hostId) })}</p>
      <div className="om-place">
        {mountPath !== null && (
          <>
            <span className="om-quiet">{text('path')}</span>
            <code data-testid="path">{mountPath}</code>
            <CopyButton value={mountPath} label={text('path.copy')} />
          </>
        )}
        {device !== null && (
          <>
            <span className="om-quiet">{text('device')}</span>
            <code data-testid="device">{device}</code>
            <CopyButton value={device} label={text('device.copy')} />
          </>
        )}
      </div>
      {may('point.browse') && hasScreen('/points/$pointId/files') && (
        <p>
          <Link
            to={`/points/${pointId}/files` as LinkProps['to'] & string}
            data-testid="browse-point"
          >
            {text('browse')}
          </Link>
        </p>
      )}
    </section>
  )
}

function Facts({ medium }: { readonly medium: Medium }) {
  const text = useText(mediaMessages)
  const format = useFormat()
  const names = useMediumNames()
  const may = useMay()
  const me = useMe()
  const point = useQuery({ ...pointQuery(medium.pointId), enabled: may('point.read') })
  const takenAt = point.data?.takenAt
  const owner = medium.createdBy === me?.actor ? (me.user?.name ?? me.actor) : medium.createdBy
  const { endedAt, leaseUntil, quotaBytes, bytesPerSecond, purpose } = medium
  const rows = [
    [text('source'), names.source(medium.sourceId)],
    [text('dataOf'), takenAt === undefined ? '–' : format.exact(takenAt)],
    [text('host'), names.host(medium.hostId)],
    [text('access'), text(medium.readOnly ? 'access.readOnly' : 'access.writable')],
    [text('protocol'), text(`mount.protocol.${medium.protocol}`)],
    [text('quota'), quotaBytes === null ? text('quota.none') : format.bytes(quotaBytes)],
    [text('rate'), bytesPerSecond === null ? text('rate.none') : format.rate(bytesPerSecond)],
    ...(purpose === '' ? [] : [[text('purpose'), purpose]]),
    [text('owner'), owner],
  ]
  return (
    <dl className="om-facts">
      {endedAt === null && (
        <>
          <dt>{text('expires')}</dt>
          <dd>
            <ExpiresIn leaseUntil={leaseUntil} everyMs={SECOND_MS} />
          </dd>
        </>
      )}
      {rows.flatMap(([label, value]) => [
        <dt key={label}>{label}</dt>,
        <dd key={`${label}=`}>{value}</dd>,
      ])}
      <dt>{text('created')}</dt>
      <dd>
        <Time at={medium.createdAt} />
      </dd>
      <dt>{text('id')}</dt>
      <dd>
        <code className="om-code">{medium.id}</code>
        <CopyButton value={medium.id} />
      </dd>
    </dl>
  )
}
