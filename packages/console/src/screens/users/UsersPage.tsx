/** People, what their roles may, and everybody's tokens. */
import { useMemo, useState } from 'react'
import { Link, useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Tabs from 'antd/es/tabs'
import { ROLES } from '@openmaas/api/permissions'
import type { User } from '@openmaas/api/resources/user'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { nameColumn, stateColumn, timeColumn, wordColumn } from '../../ui/columns.tsx'
import { DataList, type Column } from '../../ui/DataList.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { FilterSelect, FilterText } from '../../ui/filters.tsx'
import { uiMessages } from '../../ui/messages/text.ts'
import { Page } from '../../ui/Page.tsx'
import { useList } from '../../ui/use-list.ts'
import { apiLine } from '../../ui/search-params.ts'
import { usersMessages } from './messages/text.ts'
import { TABS, toUsersQuery, usersQuery, type UsersSearch } from './queries.ts'
import { Roles } from './Roles.tsx'
import { usersRoute } from './routes.ts'
import { Tokens } from './Tokens.tsx'
import { UserDialog } from './UserDialog.tsx'

export function UsersPage() {
  const text = useText(usersMessages)
  const may = useMay()
  const navigate = useNavigate({ from: '/users' })
  const search = usersRoute.useSearch()
  const { tab = 'people' } = search
  const [isAdding, setAdding] = useState(false)
  const tabs = TABS.filter((name) => name !== 'tokens' || may('token.write'))
  return (
    <Page
      title={text('title')}
      actions={
        may('user.write') && (
          <Button type="primary" onClick={() => setAdding(true)} data-testid="add-user">
            {text('add')}
          </Button>
        )
      }
      cli={tab === 'tokens' ? 'openmaas token list' : 'openmaas user list'}
      api={apiLine('GET', '/api/v1/users', toUsersQuery(search))}
    >
      <Tabs
        activeKey={tab}
        items={tabs.map((name) => ({ key: name, label: text(`tab.${name}`) }))}
        onChange={(name) => void navigate({ search: { tab: name as (typeof TABS)[number] } })}
      />
      {tab === 'people' && <People search={search} />}
      {tab === 'roles' && <Roles />}
      {tab === 'tokens' && may('token.write') && <Tokens />}
      {isAdding && <UserDialog onClose={() => setAdding(false)} />}
    </Page>
  )
}

function People({ search }: { readonly search: UsersSearch }) {
  const text = useText(usersMessages)
  return (
    <DataList<User>
      {...useList(usersQuery(search))}
      name="users"
      columns={useColumns()}
      search={search}
      rowKey={({ id }) => id}
      href={({ id }) => `/users/${id}`}
      filters={<Filters search={search} />}
      empty={<Empty message={text('empty')} />}
    />
  )
}

function Filters({ search }: { readonly search: UsersSearch }) {
  const text = useText(usersMessages)
  const words = useText(uiMessages)
  return (
    <>
      <FilterText name="name" label={text('filter.name')} value={search.name} />
      <FilterSelect
        name="role"
        label={text('filter.role')}
        any={text('filter.anyRole')}
        value={search.role}
        options={ROLES.map((value) => ({ value, label: text(`role.${value}`) }))}
      />
      <FilterSelect
        name="state"
        label={text('filter.state')}
        any={text('filter.anyState')}
        value={search.state}
        options={(['active', 'disabled'] as const).map((value) => ({
          value,
          label: words(`state.${value}`),
        }))}
      />
    </>
  )
}

function useColumns(): Column<User>[] {
  const text = useText(usersMessages)
  return useMemo(
    () => [
      stateColumn(text('state')),
      nameColumn(text('name'), ({ id, name }) => (
        <Link to="/users/$userId" params={{ userId: id }} data-testid={`user-${name}`}>
          {name}
        </Link>
      )),
      wordColumn('display', text('display'), ({ displayName }) => displayName),
      {
        key: 'roles',
        label: text('roles'),
        cell: ({ roles }) => roles.map((role) => text(`role.${role}`)).join(', '),
        value: ({ roles }) => roles.join(' '),
      },
      {
        key: 'second',
        label: text('second'),
        cell: ({ secondFactor }) => text(secondFactor ? 'second.on' : 'second.off'),
        value: ({ secondFactor }) => String(secondFactor),
      },
      timeColumn('lastLoginAt', text('lastLogin'), ({ lastLoginAt }) => lastLoginAt, {
        sortable: true,
      }),
      timeColumn('createdAt', text('created'), ({ createdAt }) => createdAt, {
        sortable: true,
        hidden: true,
      }),
    ],
    [text],
  )
}
