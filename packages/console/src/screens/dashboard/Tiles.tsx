/** Six numbers, each leading to the list behind it where that screen exists. */
import type { ReactNode } from 'react'
import { Link } from '@tanstack/react-router'
import type { Status } from '@openmaas/api/resources/status'
import { useMay } from '../../api/session.ts'
import { hasScreen } from '../../app/screens-present.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { dashboardMessages } from './messages/text.ts'

export function Tiles({ status }: { readonly status: Status }) {
  const text = useText(dashboardMessages)
  const format = useFormat()
  const may = useMay()
  const { sources, jobs, media, alerts } = status
  const { atRisk, violated } = sources
  // Of those that were promised something: a source without a policy breaks none.
  const promised = sources.compliant + atRisk + violated
  const share = promised === 0 ? '–' : format.share(sources.compliant / promised)
  const verified = sources.verifiedShare === null ? '–' : format.share(sources.verifiedShare)
  return (
    <div className="om-tiles" data-testid="tiles">
      <Tile
        name="protected"
        to="/sources"
        title={text('tile.protected')}
        value={`${sources.protected} / ${sources.total}`}
        detail={text('tile.unprotected', { count: sources.unprotected })}
      />
      <Tile
        name="compliance"
        to="/sources"
        title={text('tile.compliance')}
        value={share}
        detail={text('tile.compliance.detail', { atRisk, violated })}
      />
      <Tile
        name="verified"
        to="/sources"
        title={text('tile.verified')}
        value={verified}
        detail={text('tile.verified.detail')}
      />
      <Tile
        name="jobs"
        to="/jobs"
        title={text('tile.jobs')}
        value={format.count(jobs.running)}
        detail={text('tile.jobs.detail', { failed: jobs.failed24h, queued: jobs.queued })}
      />
      <Tile
        name="media"
        to="/media"
        title={text('tile.media')}
        value={format.count(media.active)}
        detail={text('tile.media.detail', { count: media.expiringSoon })}
      />
      {may('alert.read') && (
        <Tile
          name="alerts"
          to="/alerts"
          title={text('tile.alerts')}
          value={format.count(alerts.critical + alerts.warning + alerts.info)}
          detail={text('tile.alerts.detail', { critical: alerts.critical })}
        />
      )}
    </div>
  )
}

interface TileProps {
  readonly name: string
  readonly to: string
  readonly title: string
  readonly value: ReactNode
  readonly detail: string
}

function Tile({ name, to, title, value, detail }: TileProps) {
  const inside = (
    <>
      {title}
      <strong>{value}</strong>
      <small>{detail}</small>
    </>
  )
  const shared = { className: 'om-tile', 'data-testid': `tile-${name}` }
  if (!hasScreen(to)) return <div {...shared}>{inside}</div>
  return (
    <Link to={to} {...shared}>
      {inside}
    </Link>
  )
}
