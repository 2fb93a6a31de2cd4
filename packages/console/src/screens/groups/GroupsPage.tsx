/** Databases that are recovered at one moment. */
import { useMemo, useState } from 'react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import type { Group } from '@openmaas/api/resources/group'
import { isDatabaseKind } from '@openmaas/api/resources/source'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { nameColumn, timeColumn, wordColumn } from '../../ui/columns.tsx'
import { type Column, DataList } from '../../ui/DataList.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { ChoicesField, TextField } from '../../ui/fields.tsx'
import { FilterText } from '../../ui/filters.tsx'
import { FormDialog } from '../../ui/FormDialog.tsx'
import { Page } from '../../ui/Page.tsx'
import { apiLine, toListQuery } from '../../ui/search-params.ts'
import { useList } from '../../ui/use-list.ts'
import { useMediumNames } from '../media/use-medium-names.ts'
import { sourcesQuery } from '../virtual-databases/new-database/queries.ts'
import { groupsMessages } from './messages/text.ts'
import { groupsQuery } from './queries.ts'
import { groupsRoute } from './routes.ts'

export function GroupsPage() {
  const text = useText(groupsMessages)
  const may = useMay()
  const search = groupsRoute.useSearch()
  const list = useList(groupsQuery(search))
  const [isCreating, setCreating] = useState(false)
  const create = may('source.write') && (
    <Button type="primary" onClick={() => setCreating(true)} data-testid="create-group">
      {text('create')}
    </Button>
  )
  return (
    <Page
      title={text('title')}
      actions={create}
      cli="openmaas group list"
      api={apiLine('GET', '/api/v1/groups', toListQuery(search))}
    >
      <DataList<Group>
        {...list}
        name="groups"
        columns={useColumns()}
        search={search}
        rowKey={({ id }) => id}
        href={({ id }) => `/groups/${id}`}
        filters={<FilterText name="name" label={text('name')} value={search.name} />}
        empty={<Empty message={text('empty')} />}
      />
      {isCreating && <CreateDialog onClose={() => setCreating(false)} />}
    </Page>
  )
}

function useColumns(): Column<Group>[] {
  const text = useText(groupsMessages)
  const names = useMediumNames()
  return useMemo(
    () => [
      nameColumn(text('name'), ({ id, name }) => (
        <Link to="/groups/$groupId" params={{ groupId: id }} data-testid={`group-${name}`}>
          {name}
        </Link>
      )),
      wordColumn('members', text('members'), ({ sourceIds }) =>
        sourceIds.map((id) => names.source(id)).join(', '),
      ),
      timeColumn('lastPointAt', text('lastPoint'), ({ lastPointAt }) => lastPointAt),
      timeColumn('nextRunAt', text('nextRun'), ({ nextRunAt }) => nextRunAt, {
        none: text('policy.none'),
      }),
      timeColumn('createdAt', text('created'), ({ createdAt }) => createdAt, {
        sortable: true,
        hidden: true,
      }),
    ],
    [text, names],
  )
}

/** One alone needs no group. */
const MEMBERS_MIN = 2

function CreateDialog({ onClose }: { readonly onClose: () => void }) {
  const text = useText(groupsMessages)
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const [name, setName] = useState('')
  const [sourceIds, setSourceIds] = useState<readonly string[]>([])
  const { data } = useQuery(sourcesQuery)
  const databases = (data?.items ?? []).filter(({ kind }) => isDatabaseKind(kind))
  const create = useMutation({
    mutationFn: () =>
      apiCall('createGroup', { body: { name: name.trim(), sourceIds: [...sourceIds] } }),
    onSuccess: async ({ id }) => {
      await queryClient.invalidateQueries({ queryKey: ['groups'] })
      await navigate({ to: '/groups/$groupId', params: { groupId: id } })
    },
  })
  return (
    <FormDialog
      title={text('create')}
      ok={text('create')}
      isReady={name.trim() !== '' && sourceIds.length >= MEMBERS_MIN}
      isPending={create.isPending}
      error={create.error}
      onOk={() => create.mutate()}
      onClose={onClose}
    >
      <TextField
        autoFocus
        label={text('name')}
        value={name}
        onChange={setName}
        testId="group-name"
      />
      <ChoicesField
        label={text('members')}
        placeholder={text('members.choose')}
        value={sourceIds}
        options={databases.map((one) => ({ value: one.id, label: one.name }))}
        onChange={setSourceIds}
        testId="group-members"
      />
    </FormDialog>
  )
}
