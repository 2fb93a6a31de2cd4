/** Extend, unmount, and unmount by force with what that breaks. */
import { useState } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import Button from 'antd/es/button'
import Modal from 'antd/es/modal'
import Popconfirm from 'antd/es/popconfirm'
import Select from 'antd/es/select'
import type { Medium } from '@openmaas/api/resources/medium'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { LIFETIME_DEFAULT_SECONDS } from './lifetimes.ts'
import { mediaMessages } from './messages/text.ts'
import { useLifetimeOptions } from './use-lifetime-options.ts'

interface Props {
  readonly medium: Medium
}

export function MediumActions({ medium }: Props) {
  const text = useText(mediaMessages)
  const may = useMay()
  const queryClient = useQueryClient()
  const [isForcing, setForcing] = useState(false)
  const eject = useMutation({
    mutationFn: (force: boolean) =>
      apiCall('ejectMedium', { params: { mediumId: medium.id }, body: { force } }),
    onSettled: async () => {
      setForcing(false)
      await queryClient.invalidateQueries({ queryKey: ['media'] })
      await queryClient.invalidateQueries({ queryKey: ['jobs'] })
    },
  })
  if (!may('medium.eject') || medium.state === 'ejected' || medium.state === 'failed') return null
  const isLeaving = medium.state === 'ejecting'
  const canForce = medium.state === 'ejecting' || medium.state === 'lost' || medium.problem !== null
  return (
    <>
      {!isLeaving && <Extend medium={medium} />}
      {canForce && (
        <Button danger onClick={() => setForcing(true)} data-testid="force-eject">
          {text('force')}
        </Button>
      )}
      {!isLeaving && medium.state !== 'lost' && (
        <Popconfirm
          title={text(medium.readOnly ? 'eject.confirm.readOnly' : 'eject.confirm')}
          okText={text('eject')}
          cancelText={text('eject.no')}
          okButtonProps={{ danger: true, 'data-testid': 'eject-confirm' }}
          onConfirm={() => eject.mutate(false)}
        >
          <Button danger type="primary" loading={eject.isPending} data-testid="eject">
            {text('eject')}
          </Button>
        </Popconfirm>
      )}
      {eject.isError && <ProblemView error={eject.error} />}
      {isForcing && (
        <Modal
          open
          title={text('force.title', { name: medium.name })}
          okText={text('force')}
          cancelText={text('eject.no')}
          okButtonProps={{
            danger: true,
            loading: eject.isPending,
            'data-testid': 'force-confirm',
          }}
          onOk={() => eject.mutate(true)}
          onCancel={() => setForcing(false)}
        >
          <p>{text('force.why')}</p>
          <ul data-testid="force-breaks">
            <li>{text('force.programs')}</li>
            <li>{text('force.writes')}</li>
            <li>{text('force.away')}</li>
          </ul>
          <p>{text('force.kept')}</p>
        </Modal>
      )}
    </>
  )
}

function Extend({ medium }: Props) {
  const text = useText(mediaMessages)
  const queryClient = useQueryClient()
  const lifetimes = useLifetimeOptions()
  const [lifetimeSeconds, setLifetime] = useState(LIFETIME_DEFAULT_SECONDS)
  const extend = useMutation({
    mutationFn: () =>
      apiCall('extendMedium', { params: { mediumId: medium.id }, body: { lifetimeSeconds } }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['media'] }),
  })
  return (
    <span className="om-extend">
      <Select
        aria-label={text('extend.by')}
        title={text('extend.by')}
        data-testid="extend-by"
        value={lifetimeSeconds}
        options={lifetimes}
        style={{ minWidth: 110 }}
        onChange={setLifetime}
      />
      <Button loading={extend.isPending} onClick={() => extend.mutate()} data-testid="extend">
        {text('extend')}
      </Button>
      {extend.isSuccess && <span role="status">{text('extend.done')}</span>}
      {extend.isError && <ProblemView error={extend.error} />}
    </span>
  )
}
