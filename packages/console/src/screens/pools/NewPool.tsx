/** A pool is made, or one that exists is taken over; a new passphrase is shown once. */
import { useState } from 'react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Input from 'antd/es/input'
import Select from 'antd/es/select'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { ChoiceField, TextField } from '../../ui/fields.tsx'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { SecretOnce } from '../../ui/SecretOnce.tsx'
import { poolsMessages } from './messages/text.ts'
import { nodesQuery } from './queries.ts'

export type NewPoolKind = 'create' | 'adopt'

interface Props {
  readonly kind: NewPoolKind
  readonly onClose: () => void
}

const REDUNDANCIES = ['single', 'mirror:2', 'mirror:3', 'ec:2+1', 'ec:4+2'] as const
type Redundancy = (typeof REDUNDANCIES)[number]

/** What is typed, and making it. */
function useNewPool(kind: NewPoolKind) {
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const [name, setName] = useState('')
  const [chosenNode, setNodeId] = useState<string>()
  const [bricks, setBricks] = useState<string[]>([])
  const [redundancy, setRedundancy] = useState<Redundancy>('single')
  const [passphrase, setPassphrase] = useState('')
  const { data: nodes } = useQuery(nodesQuery)
  const nodeId = chosenNode ?? nodes?.items[0]?.id ?? ''
  const shared = { name: name.trim(), nodeId }
  const path = bricks[0] ?? ''
  const make = useMutation({
    mutationFn: () =>
      kind === 'create'
        ? apiCall('createPool', { body: { ...shared, bricks, redundancy } })
        : apiCall('adoptPool', { body: { ...shared, path, passphrase } }),
    onSuccess: async (made) => {
      await queryClient.invalidateQueries({ queryKey: ['pools'] })
      if (made.passphrase === null) open(made.pool.id)
    },
  })
  const open = (poolId: string): void => void navigate({ to: '/pools/$poolId', params: { poolId } })
  return {
    nodes,
    nodeId,
    setNodeId,
    name,
    setName,
    bricks,
    setBricks,
    redundancy,
    setRedundancy,
    passphrase,
    setPassphrase,
    make,
    open,
  }
}

export function NewPool({ kind, onClose }: Props) {
  const text = useText(poolsMessages)
  const form = useNewPool(kind)
  const made = form.make.data
  if (made !== undefined && made.passphrase !== null) {
    return (
      <SecretOnce
        title={text('secret.title', { name: made.pool.name })}
        why={text('secret.why')}
        secret={made.passphrase}
        kept={text('secret.kept')}
        done={text('secret.done')}
        onClose={() => form.open(made.pool.id)}
      />
    )
  }
  const isReady = form.name.trim() !== '' && form.nodeId !== '' && form.bricks.length > 0
  return (
    <FormDialog
      title={text(kind)}
      ok={text(kind)}
      isReady={isReady && (kind === 'create' || form.passphrase !== '')}
      isPending={form.make.isPending}
      error={form.make.error}
      onOk={() => form.make.mutate()}
      onClose={onClose}
    >
      {kind === 'adopt' && <p className="om-quiet">{text('adopt.why')}</p>}
      <TextField
        label={text('name')}
        value={form.name}
        autoFocus
        onChange={form.setName}
        testId="pool-name"
      />
      <ChoiceField
        label={text('node')}
        value={form.nodeId}

        options={form.nodes?.items.map(({ id, name: label }) => ({ value: id, label })) ?? []}
        onChange={form.setNodeId}
        testId="pool-node"
      />
      <div>
        {kind === 'create' ? text('create.bricks') : text('path')}
        <BrickInput kind={kind} bricks={form.bricks} onChange={form.setBricks} />
      </div>
      {kind === 'create' ? (
        <ChoiceField
          label={text('create.redundancy')}
          value={form.redundancy}

          options={REDUNDANCIES.map((value) => ({ value, label: text(`redundancy.${value}`) }))}
          onChange={form.setRedundancy}
          testId="pool-redundancy"
        />
      ) : (
        <label>
          {text('passphrase')}
          <Input.Password
            value={form.passphrase}
            autoComplete="off"
            onChange={(event) => form.setPassphrase(event.target.value)}
            data-testid="pool-passphrase"
          />
        </label>
      )}
    </FormDialog>
  )
}

interface BrickProps {
  readonly kind: NewPoolKind
  readonly bricks: readonly string[]
  readonly onChange: (bricks: string[]) => void
}

function BrickInput({ kind, bricks, onChange }: BrickProps) {
  const text = useText(poolsMessages)
  if (kind === 'adopt') {
    return (
      <Input
        aria-label={text('path')}
        value={bricks[0] ?? ''}
        onChange={({ target }) => onChange(target.value === '' ? [] : [target.value])}
        placeholder="/disk1/pool"
        data-testid="pool-path"
      />
    )
  }
  return (
    <>
      <Select
        mode="tags"
        open={false}
        suffixIcon={null}
        aria-label={text('create.bricks')}
        tokenSeparators={[',', ' ']}
        value={[...bricks]}
        onChange={onChange}
        style={{ width: '100%' }}
        data-testid="pool-bricks"
      />
      <small className="om-quiet">{text('create.bricks.hint')}</small>
    </>
  )
}
