import type { Pool } from '@openmaas/api/resources/pool'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { capacityLayers, savingRatio, type LayerName } from './capacity.ts'
import { poolsMessages } from './messages/text.ts'

/** Logical, stored, on disk, size: four bars of one scale. */
export function CapacityStack({ pool }: { readonly pool: Pool }) {
  const text = useText(poolsMessages)
  const format = useFormat()
  const ratio = savingRatio(pool)
  const details: Readonly<Record<LayerName, string>> = {
    logical: text('logical.detail'),
    stored:
      ratio === null ? text('stored.nothing') : text('stored.detail', { ratio: ratio.toFixed(1) }),
    disk: text('disk.detail'),
    size: text('size.detail', { free: format.bytes(pool.stats.freeBytes) }),
  }
  return (
    <section className="om-panel" data-testid="capacity">
      <h2>{text('stack')}</h2>
      {capacityLayers(pool).map(({ name, sizeBytes, share }) => (
        <div key={name} style={{ marginBottom: 12 }}>
          <div style={{ display: 'flex', justifyContent: 'space-between', gap: 8 }}>
            <span>{text(name)}</span>
            <strong>{format.bytes(sizeBytes)}</strong>
          </div>
          <div style={{ height: 10, borderRadius: 5, background: 'var(--om-ground)' }} aria-hidden>
            <div
              style={{
                height: 10,
                borderRadius: 5,
                // What is there is still seen beside what is a thousand times larger.
                minWidth: sizeBytes > 0 ? 3 : 0,
                width: `${share * 100}%`,
                background: name === 'size' ? 'var(--om-quiet)' : 'var(--om-accent)',
              }}
            />
          </div>
          <small className="om-quiet">{details[name]}</small>
        </div>
      ))}
    </section>
  )
}
