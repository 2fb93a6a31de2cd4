/** What is done to a pool, each with what it means before it begins. */
import { useState } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Checkbox from 'antd/es/checkbox'
import type { Pool } from '@openmaas/api/resources/pool'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { DestructiveDialog, type Plan } from '../../ui/DestructiveDialog.tsx'
import { TextField } from '../../ui/fields.tsx'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { LabelsInput } from '../../ui/LabelsInput.tsx'
import { poolsMessages } from './messages/text.ts'

export type PoolVerb = 'collect' | 'check' | 'change' | 'remove'

interface Props {
  readonly verb: PoolVerb
  readonly pool: Pool
  readonly onClose: () => void
}

export function PoolDialog({ verb, pool, onClose }: Props) {
  if (verb === 'remove') return <RemoveDialog pool={pool} onClose={onClose} />
  if (verb === 'change') return <ChangeDialog pool={pool} onClose={onClose} />
  return <CareDialog verb={verb} pool={pool} onClose={onClose} />
}

type PoolProps = Omit<Props, 'verb'>

function CareDialog({ verb, pool, onClose }: Props & { readonly verb: 'collect' | 'check' }) {
  const text = useText(poolsMessages)
  const navigate = useNavigate()
  const [isThorough, setThorough] = useState(false)
  const params = { poolId: pool.id }
  const begin = useMutation({
    mutationFn: () =>
      verb === 'collect'
        ? apiCall('collectPool', { params, body: { approve: isThorough } })
        : apiCall('checkPool', { params, body: { data: isThorough } }),
    onSuccess: ({ jobId }) => navigate({ to: '/jobs/$jobId', params: { jobId } }),
  })
  return (
    <FormDialog
      title={text(verb)}
      ok={text(verb)}
      isPending={begin.isPending}
      error={begin.error}
      onOk={() => begin.mutate()}
      onClose={onClose}
    >
      <p>{text(`${verb}.why`)}</p>
      <Checkbox
        checked={isThorough}
        onChange={(event) => setThorough(event.target.checked)}
        data-testid="thorough"
      >
        {verb === 'collect' ? text('collect.approve') : text('check.data')}
      </Checkbox>
    </FormDialog>
  )
}

function ChangeDialog({ pool, onClose }: PoolProps) {
  const text = useText(poolsMessages)
  const queryClient = useQueryClient()
  const [name, setName] = useState(pool.name)
  const [labels, setLabels] = useState<Record<string, string>>(pool.labels)
  const change = useMutation({
    mutationFn: () =>
      apiCall('changePool', {
        params: { poolId: pool.id },
        body: { name: name.trim(), labels },
        ifMatch: `"${pool.version}"`,
      }),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: ['pools'] })
      onClose()
    },
  })
  return (
    <FormDialog
      title={text('change')}
      ok={text('save')}
      isReady={name.trim() !== ''}
      isPending={change.isPending}
      error={change.error}
      onOk={() => change.mutate()}
      onClose={onClose}
    >
      <TextField
        label={text('name')}
        value={name}
        autoFocus
        onChange={setName}
        testId="pool-name"
      />
      <div>
        {text('labels')}
        <LabelsInput
          value={labels}
          onChange={setLabels}
          label={text('labels')}
          testId="pool-labels"
        />
      </div>
    </FormDialog>
  )
}

function RemoveDialog({ pool, onClose }: PoolProps) {
  const text = useText(poolsMessages)
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const params = { poolId: pool.id }
  return (
    <DestructiveDialog
      title={text('remove')}
      name={pool.name}
      onClose={onClose}
      plan={(body) => apiCall('removePool', { params, body, dryRun: true }) as Promise<Plan>}
      perform={async (body) => {
        await apiCall('removePool', { params, body })
        await navigate({ to: '/pools' })
        await queryClient.invalidateQueries({ queryKey: ['pools'] })
      }}
    />
  )
}
