import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import Select from 'antd/es/select'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { LossQuestion, useLoss } from './LossQuestion.tsx'
import { databasesMessages } from './messages/text.ts'
import { bookmarksQuery } from './queries.ts'
import { useVerb } from './use-verb.ts'

interface Props {
  readonly database: VirtualDatabase
  /** The one that is proposed; null: how it was made. */
  readonly bookmarkId: string | null
  readonly onClose: () => void
}

/** A choice cannot be null. */
const AS_MADE = 'made'

export function ResetDialog({ database, bookmarkId, onClose }: Props) {
  const text = useText(databasesMessages)
  const { id: virtualDatabaseId, name } = database
  const [chosen, setChosen] = useState(bookmarkId ?? AS_MADE)
  const loss = useLoss(database)
  const { data } = useQuery(bookmarksQuery(virtualDatabaseId))
  const bookmarks = (data?.items ?? []).filter(({ state }) => state === 'available')
  const reset = useVerb(
    () =>
      apiCall('resetVirtualDatabase', {
        params: { virtualDatabaseId },
        body: { bookmarkId: chosen === AS_MADE ? null : chosen },
      }),
    onClose,
  )
  return (
    <FormDialog
      title={text('reset.title', { name })}
      ok={text('verb.reset')}
      isReady={loss.isAgreed}
      isDanger
      isPending={reset.isPending}
      error={reset.error}
      onOk={() => reset.mutate()}
      onClose={onClose}
    >
      <p>{text('reset.text')}</p>
      <div className="om-field">
        <span>{text('reset.to')}</span>
        <Select
          aria-label={text('reset.to')}
          value={chosen}
          options={[
            { value: AS_MADE, label: text('reset.made') },
            ...bookmarks.map((one) => ({ value: one.id, label: one.name })),
          ]}
          onChange={setChosen}
          data-testid="reset-to"
        />
      </div>
      <LossQuestion database={database} {...loss} />
    </FormDialog>
  )
}
