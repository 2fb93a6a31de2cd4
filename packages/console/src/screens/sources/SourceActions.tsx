import { lazy, Suspense, useState } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, type LinkProps } from '@tanstack/react-router'
import Button from 'antd/es/button'
import { isDatabaseKind, type Source } from '@openmaas/api/resources/source'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { hasScreen } from '../../app/screens-present.ts'
import { useText } from '../../i18n/text.ts'
import { DestructiveDialog, type Plan } from '../../ui/DestructiveDialog.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { sourcesMessages } from './messages/text.ts'

/** What it is made of is loaded when production is gone, not with every page of a source. */
const RecoverDialog = lazy(async () => {
  const loaded = await import('../virtual-databases/recover-production/RecoverDialog.tsx')
  return { default: loaded.RecoverDialog }
})

export function SourceActions({ source }: { readonly source: Source }) {
  const text = useText(sourcesMessages)
  const may = useMay()
  const navigate = useNavigate({ from: '/sources/$sourceId' })
  const queryClient = useQueryClient()
  const [isRemoving, setRemoving] = useState(false)
  const params = { sourceId: source.id }
  const run = useMutation({
    mutationFn: () => apiCall('protectSource', { params, body: {} }),
    onSuccess: ({ jobId }) => navigate({ to: '/jobs/$jobId', params: { jobId } }),
  })
  const pause = useMutation({
    mutationFn: () => apiCall(source.paused ? 'resumeSource' : 'pauseSource', { params }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['sources'] }),
  })
  const error = run.error ?? pause.error
  return (
    <>
      {may('source.write') && (
        <Button danger onClick={() => setRemoving(true)} data-testid="remove-source">
          {text('remove')}
        </Button>
      )}
      {may('source.write') && (
        <Button loading={pause.isPending} onClick={() => pause.mutate()} data-testid="pause">
          {text(source.paused ? 'resume' : 'pause')}
        </Button>
      )}
      {isDatabaseKind(source.kind) && may('virtual-database.recover') && (
        <RecoverProduction source={source} />
      )}
      {isDatabaseKind(source.kind) && may('virtual-database.create') && (
        <Link
          to="/virtual-databases/new"
          search={{ sourceId: source.id }}
          data-testid="source-database"
        >
          <Button tabIndex={-1}>{text('virtualDatabase')}</Button>
        </Link>
      )}
      {may('point.restore') && hasScreen('/recover') && (
        <Link
          to={'/recover' as LinkProps['to'] & string}
          search={{ sourceId: source.id } as never}
          data-testid="recover-source"
        >
          <Button tabIndex={-1}>{text('recover')}</Button>
        </Link>
      )}
      {may('source.protect') && (
        <Button
          type="primary"
          loading={run.isPending}
          onClick={() => run.mutate()}
          data-testid="run"
        >
          {text('run')}
        </Button>
      )}
      {error !== null && <ProblemView error={error} />}
      {isRemoving && <RemoveDialog source={source} onClose={() => setRemoving(false)} />}
    </>
  )
}

function RecoverProduction({ source }: { readonly source: Source }) {
  const text = useText(sourcesMessages)
  const [isAsking, setAsking] = useState(false)
  return (
    <>
      <Button danger onClick={() => setAsking(true)} data-testid="recover-production-here">
        {text('recoverProduction')}
      </Button>
      {isAsking && (
        <Suspense>
          <RecoverDialog source={source} onClose={() => setAsking(false)} />
        </Suspense>
      )}
    </>
  )
}

function RemoveDialog({
  source,
  onClose,
}: {
  readonly source: Source
  readonly onClose: () => void
}) {
  const text = useText(sourcesMessages)
  const navigate = useNavigate({ from: '/sources/$sourceId' })
  const queryClient = useQueryClient()
  const params = { sourceId: source.id }
  return (
    <DestructiveDialog
      title={text('remove')}
      name={source.name}
      plan={(body) => apiCall('deleteSource', { params, body, dryRun: true }) as Promise<Plan>}
      perform={async (body) => {
        await apiCall('deleteSource', { params, body })
        void navigate({ to: '/sources', search: {} })
        await queryClient.invalidateQueries({ queryKey: ['sources', 'listSources'] })
      }}
      onClose={onClose}
    />
  )
}
