import { useState } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link, type LinkProps, useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import type { Point } from '@openmaas/api/resources/point'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { hasScreen } from '../../app/screens-present.ts'
import { useText } from '../../i18n/text.ts'
import { DestructiveDialog, type Plan } from '../../ui/DestructiveDialog.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { VerifyDialog } from '../virtual-databases/VerifyDialog.tsx'
import { LockDialog } from './LockDialog.tsx'
import { timelineMessages } from './messages/text.ts'
import { pointLinks } from './point-links.ts'

interface Props {
  readonly point: Point
}

export function PointActions({ point }: Props) {
  const text = useText(timelineMessages)
  const may = useMay()
  const isAvailable = point.state === 'available'
  const isDatabase = point.database !== null && point.database !== undefined
  return (
    <div className="om-buttons">
      {isAvailable &&
        pointLinks(point)
          .filter(({ route, permission }) => hasScreen(route) && may(permission))
          .map(({ verb, to, search }, index) => (
            <Link
              key={verb}
              to={to as LinkProps['to'] & string}
              search={search as never}
              data-testid={`point-${verb}`}
            >
              <Button tabIndex={-1} type={index === 0 ? 'primary' : 'default'}>
                {text(`action.${verb}`)}
              </Button>
            </Link>
          ))}
      {isAvailable && may('source.protect') && !isDatabase && <VerifyButton point={point} />}
      {isAvailable && may('source.protect') && isDatabase && <VerifyDatabase point={point} />}
      {isAvailable && may('point.lock') && <LockButton point={point} />}
      {isAvailable && may('point.delete') && <DeleteButton point={point} />}
    </div>
  )
}

function VerifyButton({ point }: { readonly point: Point }) {
  const text = useText(timelineMessages)
  const navigate = useNavigate()
  const verify = useMutation({
    mutationFn: () => apiCall('verifyPoint', { params: { pointId: point.id }, body: {} }),
    onSuccess: ({ jobId }) => navigate({ to: '/jobs/$jobId', params: { jobId } }),
  })
  return (
    <>
      <Button loading={verify.isPending} onClick={() => verify.mutate()} data-testid="point-verify">
        {text('action.verify')}
      </Button>
      {verify.isError && <ProblemView error={verify.error} />}
    </>
  )
}

/** Proves more than that its bytes are there: the engine starts on it. */
function VerifyDatabase({ point }: Props) {
  const text = useText(timelineMessages)
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <Button onClick={() => setOpen(true)} data-testid="point-verify">
        {text('action.verify')}
      </Button>
      {isOpen && <VerifyDialog pointId={point.id} onClose={() => setOpen(false)} />}
    </>
  )
}

function LockButton({ point }: { readonly point: Point }) {
  const text = useText(timelineMessages)
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <Button onClick={() => setOpen(true)} data-testid="point-lock">
        {text('action.lock')}
      </Button>
      {isOpen && <LockDialog point={point} onClose={() => setOpen(false)} />}
    </>
  )
}

function DeleteButton({ point }: Props) {
  const text = useText(timelineMessages)
  const queryClient = useQueryClient()
  const [isOpen, setOpen] = useState(false)
  const params = { pointId: point.id }
  return (
    <>
      <Button danger onClick={() => setOpen(true)} data-testid="point-delete">
        {text('action.delete')}
      </Button>
      {isOpen && (
        <DestructiveDialog
          title={text('action.delete')}
          name={point.id}
          plan={(body) => apiCall('deletePoint', { params, body, dryRun: true }) as Promise<Plan>}
          perform={async (body) => {
            await apiCall('deletePoint', { params, body })
            await queryClient.invalidateQueries({ queryKey: ['points'] })
          }}
          onClose={() => setOpen(false)}
        />
      )}
    </>
  )
}
