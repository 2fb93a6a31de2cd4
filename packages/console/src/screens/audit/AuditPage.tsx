/** Who did what: append-only; each entry opens in a drawer with before and after. */
import { useMemo } from 'react'
import { useMutation } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Dropdown from 'antd/es/dropdown'
import type { AuditEntry } from '@openmaas/api/resources/audit'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { codeColumn, timeColumn, wordColumn } from '../../ui/columns.tsx'
import { DataList, type Column } from '../../ui/DataList.tsx'
import { Empty } from '../../ui/Empty.tsx'
import { FilterSelect, FilterText } from '../../ui/filters.tsx'
import { Page } from '../../ui/Page.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { useList } from '../../ui/use-list.ts'
import { apiLine } from '../../ui/search-params.ts'
import { AuditDrawer } from './AuditDrawer.tsx'
import { ChainVerdict } from './ChainVerdict.tsx'
import { auditMessages } from './messages/text.ts'
import { Outcome } from './Outcome.tsx'
import { auditQuery, OUTCOMES, toAuditQuery, type AuditSearch } from './queries.ts'
import { auditRoute } from './routes.ts'

export function AuditPage() {
  const text = useText(auditMessages)
  const may = useMay()
  const search = auditRoute.useSearch()
  const navigate = useNavigate({ from: '/audit' })
  const list = useList(auditQuery({ ...search, entry: undefined }))
  const verify = useMutation({ mutationFn: () => apiCall('verifyAudit') })
  const open = list.rows.find(({ seq }) => seq === search.entry)
  const actor = search.actor === undefined ? '' : ` --actor ${search.actor}`
  return (
    <Page
      title={text('title')}
      actions={
        <>
          {may('audit.export') && <ExportButton search={search} />}
          {may('audit.verify') && (
            <Button
              type="primary"
              loading={verify.isPending}
              onClick={() => verify.mutate()}
              data-testid="verify-chain"
            >
              {text('verify')}
            </Button>
          )}
        </>
      }
      cli={`openmaas audit list${actor}`}
      api={apiLine('GET', '/api/v1/audit', toAuditQuery(search))}
    >
      {verify.data !== undefined && <ChainVerdict verdict={verify.data} />}
      {verify.error !== null && <ProblemView error={verify.error} />}
      <DataList<AuditEntry>
        {...list}
        name="audit"
        columns={useColumns()}
        search={search}
        rowKey={({ seq }) => String(seq)}
        filters={<Filters search={search} />}
        empty={<Empty message={text('empty')} />}
      />
      {open !== undefined && (
        <AuditDrawer
          entry={open}
          onClose={() => void navigate({ search: (old) => ({ ...old, entry: undefined }) })}
        />
      )}
    </Page>
  )
}

const FORMATS = ['json', 'csv', 'syslog'] as const

/** The server writes it; the browser saves it as it comes. */
function ExportButton({ search }: { readonly search: AuditSearch }) {
  const text = useText(auditMessages)
  const save = (format: string): void => {
    const query = new URLSearchParams({ format })
    if (search.actor !== undefined) query.set('actor', search.actor)
    if (search.object !== undefined) query.set('object', search.object)
    const link = document.createElement('a')
    link.href = `/api/v1/audit/export?${query}`
    link.download = `audit.${format === 'syslog' ? 'log' : format === 'json' ? 'ndjson' : format}`
    link.click()
  }
  const items = FORMATS.map((key) => ({ key, label: text(`export.${key}`) }))
  return (
    <Dropdown trigger={['click']} menu={{ items, onClick: ({ key }) => save(key) }}>
      <Button data-testid="export-audit">{text('export')}</Button>
    </Dropdown>
  )
}

function Filters({ search }: { readonly search: AuditSearch }) {
  const text = useText(auditMessages)
  return (
    <>
      <FilterText name="actor" label={text('filter.actor')} value={search.actor} />
      <FilterText name="action" label={text('filter.action')} value={search.action} />
      <FilterText name="object" label={text('filter.object')} value={search.object} />
      <FilterSelect
        name="outcome"
        label={text('filter.outcome')}
        any={text('filter.any')}
        value={search.outcome}
        options={OUTCOMES.map((value) => ({ value, label: text(`outcome.${value}`) }))}
      />
    </>
  )
}

function useColumns(): Column<AuditEntry>[] {
  const text = useText(auditMessages)
  return useMemo(
    () => [
      wordColumn('seq', text('seq'), ({ seq }) => seq, { sortable: true }),
      timeColumn('at', text('at'), ({ at }) => at),
      {
        key: 'action',
        label: text('action'),
        cell: ({ seq, action }) => (
          <Link
            from="/audit"
            to="/audit"
            search={(old) => ({ ...old, entry: seq })}
            data-testid={`entry-${seq}`}
          >
            {action}
          </Link>
        ),
        value: ({ action }) => action,
      },
      {
        key: 'outcome',
        label: text('outcome'),
        cell: ({ outcome }) => <Outcome outcome={outcome} />,
        value: ({ outcome }) => outcome,
      },
      codeColumn('actor', text('actor'), ({ actor }) => actor),
      codeColumn('object', text('object'), ({ object }) => object),
      codeColumn('address', text('address'), ({ address }) => address),
      wordColumn('reason', text('reason'), ({ reason }) => reason),
      codeColumn('requestId', text('request'), ({ requestId }) => requestId, { hidden: true }),
    ],
    [text],
  )
}
