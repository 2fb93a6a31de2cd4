import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { useNow } from '../../ui/Time.tsx'
import { recoverRangeQuery } from '../timeline/queries.ts'
import { LossQuestion, useLoss } from './LossQuestion.tsx'
import { databasesMessages } from './messages/text.ts'
import { NEWEST, toMomentBody } from './new-database/moment.ts'
import { MomentField } from './new-database/MomentField.tsx'
import { useVerb } from './use-verb.ts'

interface Props {
  readonly database: VirtualDatabase
  readonly onClose: () => void
}

const NOW_EVERY_MS = 15_000

export function RefreshDialog({ database, onClose }: Props) {
  const text = useText(databasesMessages)
  const { id: virtualDatabaseId, name, sourceId, engine } = database
  const now = useNow(NOW_EVERY_MS)
  const [moment, setMoment] = useState(NEWEST)
  const { data: range } = useQuery(recoverRangeQuery(sourceId))
  const loss = useLoss(database)
  const body = toMomentBody(moment, now, range)
  const refresh = useVerb(
    () => apiCall('refreshVirtualDatabase', { params: { virtualDatabaseId }, body: { ...body } }),
    onClose,
  )
  return (
    <FormDialog
      title={text('refresh.title', { name })}
      ok={text('verb.refresh')}
      isReady={body !== null && loss.isAgreed}
      isDanger={!database.liveSync}
      isPending={refresh.isPending}
      error={refresh.error}
      onOk={() => refresh.mutate()}
      onClose={onClose}
    >
      <p>{text('refresh.text')}</p>
      {/* One that follows production has no moment of its own. */}
      {!database.liveSync && (
        <MomentField
          sourceId={sourceId}
          engine={engine}
          value={moment}
          now={now}
          onChange={(changed) => setMoment((old) => ({ ...old, ...changed }))}
        />
      )}
      <LossQuestion database={database} {...loss} />
    </FormDialog>
  )
}
