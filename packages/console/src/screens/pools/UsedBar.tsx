import Progress from 'antd/es/progress'
import type { Pool } from '@openmaas/api/resources/pool'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { usedShare } from './capacity.ts'
import { poolsMessages } from './messages/text.ts'

/** Where the server warns: CONSOLE.md, section 10. */
const FULL_SHARE_WARNING = 0.8

export function UsedBar({ pool }: { readonly pool: Pool }) {
  const text = useText(poolsMessages)
  const format = useFormat()
  const { sizeBytes, freeBytes } = pool.stats
  const share = usedShare(pool)
  const words = text('usedOf', {
    used: format.bytes(sizeBytes - freeBytes),
    size: format.bytes(sizeBytes),
  })
  return (
    <div style={{ minWidth: 150 }}>
      <Progress
        percent={Math.round(share * 100)}
        size="small"
        showInfo={false}
        status={share > FULL_SHARE_WARNING ? 'exception' : 'normal'}
        aria-label={words}
      />
      <small className="om-quiet">{words}</small>
    </div>
  )
}
