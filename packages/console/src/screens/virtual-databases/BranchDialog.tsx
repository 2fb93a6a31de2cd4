import { useState } from 'react'
import { useNavigate } from '@tanstack/react-router'
import { useQuery } from '@tanstack/react-query'
import Select from 'antd/es/select'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import type { BodyFor } from '@openmaas/api/routes/routes'
import { apiCall } from '../../api/queries.ts'
import { useIsLimited } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { TextField } from '../../ui/fields.tsx'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { databasesMessages } from './messages/text.ts'
import { emptyForm } from './new-database/create-form.ts'
import { LimitFields } from './new-database/LimitFields.tsx'
import { bookmarksQuery } from './queries.ts'
import { useVerb } from './use-verb.ts'

interface Props {
  readonly database: VirtualDatabase
  /** The one that is proposed; null: how it is now. */
  readonly bookmarkId: string | null
  readonly onClose: () => void
}

/** A choice cannot be null. */
const NOW = 'now'
const GIB = 1024 ** 3

type Wish = Pick<
  BodyFor<'branchVirtualDatabase'>,
  'name' | 'bookmarkId' | 'lifetimeSeconds' | 'quotaBytes'
>

/** What is not asked for is as of the one that it is branched from. */
function useBranch({ id, user, listen, settings }: VirtualDatabase, onClose: () => void) {
  const navigate = useNavigate()
  const params = { virtualDatabaseId: id }
  return useVerb(
    (wish: Wish) =>
      apiCall('branchVirtualDatabase', { params, body: { ...wish, user, listen, settings } }),
    ({ virtualDatabaseId }) => {
      onClose()
      void navigate({ to: '/virtual-databases/$virtualDatabaseId', params: { virtualDatabaseId } })
    },
  )
}

export function BranchDialog({ database, bookmarkId, onClose }: Props) {
  const text = useText(databasesMessages)
  const isLimited = useIsLimited()
  const { id, name: parentName } = database
  const [name, setName] = useState(`${parentName}-branch`)
  const [from, setFrom] = useState(bookmarkId ?? NOW)
  const [wish, setWish] = useState(() => emptyForm(isLimited, database.quotaBytes))
  const { data } = useQuery(bookmarksQuery(id))
  const bookmarks = (data?.items ?? []).filter(({ state }) => state === 'available')
  const { lifetimeSeconds, quotaGib } = wish
  const branch = useBranch(database, onClose)
  return (
    <FormDialog
      title={text('branch.title', { name: parentName })}
      ok={text('verb.branch')}
      isReady={name.trim() !== '' && !(isLimited && quotaGib === null)}
      isPending={branch.isPending}
      error={branch.error}
      onOk={() =>
        branch.mutate({
          name: name.trim(),
          bookmarkId: from === NOW ? null : from,
          lifetimeSeconds,
          quotaBytes: quotaGib === null ? null : Math.round(quotaGib * GIB),
        })
      }
      onClose={onClose}
    >
      <p>{text('branch.text')}</p>
      <TextField label={text('branch.name')} value={name} onChange={setName} testId="branch-name" />
      <div className="om-field">
        <span>{text('branch.from')}</span>
        <Select
          aria-label={text('branch.from')}
          value={from}
          options={[
            { value: NOW, label: text('branch.now') },
            ...bookmarks.map((one) => ({ value: one.id, label: one.name })),
          ]}
          onChange={setFrom}
          data-testid="branch-from"
        />
      </div>
      <LimitFields
        wish={wish}
        onChange={(changed) => setWish({ ...wish, ...changed })}
        of="branch"
      />
    </FormDialog>
  )
}
