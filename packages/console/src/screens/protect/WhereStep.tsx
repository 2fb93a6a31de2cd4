/** Into which pool, how fast, and under which name. */
import { CheckCircleFilled } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import Input from 'antd/es/input'
import Progress from 'antd/es/progress'
import type { Pool } from '@openmaas/api/resources/pool'
import { useMay } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { poolNamesQuery } from '../sources/queries.ts'
import { isRate } from '../sources/settings-form.ts'
import { protectMessages } from './messages/text.ts'
import type { StepProps } from './ProtectPage.tsx'
import { useWizardNames } from './use-wizard-names.ts'

export function WhereStep({ draft, onChange }: StepProps) {
  const text = useText(protectMessages)
  const may = useMay()
  const names = useWizardNames(draft)
  const { data, error } = useQuery({ ...poolNamesQuery, enabled: may('pool.read') })
  const { rate = '' } = draft
  return (
    <>
      <h2>{text('where.pool')}</h2>
      {error !== null && <ProblemView error={error} />}
      {data?.items.length === 0 && <p className="om-state-failed">{text('where.noPool')}</p>}
      <div className="om-choices" role="radiogroup" aria-label={text('where.pool')}>
        <button
          type="button"
          role="radio"
          aria-checked={draft.poolId === undefined}
          className="om-choice"
          onClick={() => onChange({ poolId: undefined })}
          data-testid="pool-any"
        >
          <strong>
            {text('where.any')} {draft.poolId === undefined && <CheckCircleFilled aria-hidden />}
          </strong>
          <small className="om-quiet">{text('where.any.detail')}</small>
        </button>
        {data?.items.map((pool) => (
          <PoolChoice
            key={pool.id}
            pool={pool}
            isChosen={pool.id === draft.poolId}
            onChoose={() => onChange({ poolId: pool.id })}
          />
        ))}
      </div>
      <div className="om-form om-form-narrow">
        <label>
          {text('where.name')}
          <Input
            value={draft.name ?? names.name}
            onChange={({ target }) =>
              onChange({ name: target.value === '' ? undefined : target.value })
            }
            data-testid="name"
          />
        </label>
        <label>
          {text('where.rate')}
          <Input
            value={rate}
            suffix="MiB/s"
            placeholder={text('where.rate.none')}
            status={isRate(rate) ? '' : 'error'}
            onChange={({ target }) =>
              onChange({ rate: target.value === '' ? undefined : target.value })
            }
            data-testid="rate"
          />
        </label>
      </div>
    </>
  )
}

interface PoolProps {
  readonly pool: Pool
  readonly isChosen: boolean
  readonly onChoose: () => void
}

function PoolChoice({ pool, isChosen, onChoose }: PoolProps) {
  const text = useText(protectMessages)
  const format = useFormat()
  const { sizeBytes, freeBytes } = pool.stats
  const used = sizeBytes === 0 ? 0 : (sizeBytes - freeBytes) / sizeBytes
  return (
    <button
      type="button"
      role="radio"
      aria-checked={isChosen}
      className="om-choice"
      onClick={onChoose}
      data-testid={`pool-${pool.id}`}
    >
      <strong>
        {pool.name} {isChosen && <CheckCircleFilled aria-hidden />}
      </strong>
      <StateTag state={pool.state} />
      <Progress
        percent={Math.round(used * 100)}
        size="small"
        showInfo={false}
        aria-label={text('where.used')}
      />
      <small className="om-quiet">
        {text('where.free', { free: format.bytes(freeBytes), size: format.bytes(sizeBytes) })}
      </small>
    </button>
  )
}
