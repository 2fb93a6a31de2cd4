/** Bookmark and extend: a question with one answer each. */
import { useState } from 'react'
import Select from 'antd/es/select'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { apiCall } from '../../api/queries.ts'
import { useIsLimited } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { TextField } from '../../ui/fields.tsx'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { databasesMessages } from './messages/text.ts'
import { FOR_GOOD, useLifetimes } from './new-database/use-lifetimes.ts'
import { useVerb } from './use-verb.ts'

interface Props {
  readonly database: VirtualDatabase
  readonly onClose: () => void
}

export function BookmarkDialog({ database, onClose }: Props) {
  const text = useText(databasesMessages)
  const { id: virtualDatabaseId, name } = database
  const [typed, setTyped] = useState('')
  const bookmark = useVerb(
    () =>
      apiCall('createBookmark', { params: { virtualDatabaseId }, body: { name: typed.trim() } }),
    onClose,
  )
  return (
    <FormDialog
      title={text('bookmark.title', { name })}
      ok={text('verb.bookmark')}
      isReady={typed.trim() !== ''}
      isPending={bookmark.isPending}
      error={bookmark.error}
      onOk={() => bookmark.mutate()}
      onClose={onClose}
    >
      <p>{text('bookmark.text')}</p>
      <TextField
        autoFocus
        label={text('bookmark.name')}
        value={typed}
        onChange={setTyped}
        testId="bookmark-name"
      />
    </FormDialog>
  )
}

const WEEK_SECONDS = 7 * 86_400

export function ExtendDialog({ database, onClose }: Props) {
  const text = useText(databasesMessages)
  const lifetimes = useLifetimes(useIsLimited())
  const { id: virtualDatabaseId, name } = database
  const [seconds, setSeconds] = useState(WEEK_SECONDS)
  const extend = useVerb(
    () =>
      apiCall('extendVirtualDatabase', {
        params: { virtualDatabaseId },
        body: { lifetimeSeconds: seconds === FOR_GOOD ? null : seconds },
      }),
    onClose,
  )
  return (
    <FormDialog
      title={text('extend.title', { name })}
      ok={text('verb.extend')}
      isPending={extend.isPending}
      error={extend.error}
      onOk={() => extend.mutate()}
      onClose={onClose}
    >
      <div className="om-field">
        <span>{text('extend.for')}</span>
        <Select
          aria-label={text('extend.for')}
          value={seconds}
          options={lifetimes}
          onChange={setSeconds}
          data-testid="extend-for"
        />
      </div>
    </FormDialog>
  )
}
