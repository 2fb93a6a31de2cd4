/** A bookmark on the timeline, and what can be done with it. */
import { useState } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import Button from 'antd/es/button'
import type { Bookmark, VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { ConfirmButton } from '../../ui/ConfirmButton.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { BranchDialog } from './BranchDialog.tsx'
import { databasesMessages } from './messages/text.ts'
import { ResetDialog } from './ResetDialog.tsx'
import { canDo } from './states.ts'

interface Props {
  readonly database: VirtualDatabase
  readonly bookmark: Bookmark
}

export function BookmarkEntry({ bookmark, database }: Props) {
  const text = useText(databasesMessages)
  const format = useFormat()
  const may = useMay()
  const [open, setOpen] = useState<'reset' | 'branch'>()
  const { name, state, sizeBytes, addedBytes, problem } = bookmark
  const isThere = state === 'available'
  return (
    <>
      {text('timeline.bookmark')} <strong data-testid={`bookmark-${name}`}>{name}</strong>{' '}
      {!isThere && <span className="om-quiet">{text(`timeline.bookmark.${state}`)}</span>}
      {problem !== null && <p className="om-state-failed">{problem.message}</p>}
      {sizeBytes !== null && (
        <p className="om-quiet">
          {text('timeline.size', {
            size: format.bytes(sizeBytes),
            added: format.bytes(addedBytes ?? 0),
          })}
        </p>
      )}
      <div className="om-buttons">
        {isThere && canDo('reset', database, may) && (
          <Button size="small" onClick={() => setOpen('reset')} data-testid={`reset-${name}`}>
            {text('timeline.reset')}
          </Button>
        )}
        {isThere && canDo('branch', database, may) && (
          <Button size="small" onClick={() => setOpen('branch')} data-testid={`branch-${name}`}>
            {text('timeline.branch.from')}
          </Button>
        )}
        {state !== 'creating' && state !== 'deleting' && canDo('keep', database, may) && (
          <DeleteBookmark bookmark={bookmark} />
        )}
      </div>
      {open === 'reset' && (
        <ResetDialog
          database={database}
          bookmarkId={bookmark.id}
          onClose={() => setOpen(undefined)}
        />
      )}
      {open === 'branch' && (
        <BranchDialog
          database={database}
          bookmarkId={bookmark.id}
          onClose={() => setOpen(undefined)}
        />
      )}
    </>
  )
}

function DeleteBookmark({ bookmark }: { readonly bookmark: Bookmark }) {
  const text = useText(databasesMessages)
  const queryClient = useQueryClient()
  const { id: bookmarkId, virtualDatabaseId, name } = bookmark
  const remove = useMutation({
    mutationFn: () => apiCall('deleteBookmark', { params: { virtualDatabaseId, bookmarkId } }),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['virtual-databases'] }),
  })
  return (
    <>
      <ConfirmButton
        verb={text('timeline.delete')}
        question={text('timeline.delete.confirm')}
        testId={`delete-bookmark-${name}`}
        isLoading={remove.isPending}
        onConfirm={() => remove.mutate()}
      />
      {remove.isError && <ProblemView error={remove.error} />}
    </>
  )
}
