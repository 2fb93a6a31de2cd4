/** A table of what is never many: shown whole, without pages. For lists that grow: DataList. */
import Table from 'antd/es/table'
import type { Column } from './DataList.tsx'
import { Empty } from './Empty.tsx'
import { ProblemView } from './ProblemView.tsx'

interface Props<Row> {
  /** Of test ids: `list-channels`. */
  readonly name: string
  readonly rows: readonly Row[] | undefined
  readonly columns: readonly Omit<Column<Row>, 'value' | 'sortable' | 'hidden'>[]
  readonly empty: string
  /** Also of what is done to a row. */
  readonly error: Error | null
}

export function ShortList<Row extends { readonly id: string }>(props: Props<Row>) {
  const { name, rows, columns, empty, error } = props
  return (
    <div data-testid={`list-${name}`}>
      {error !== null && <ProblemView error={error} />}
      <Table<Row>
        size="small"
        rowKey="id"
        loading={rows === undefined && error === null}
        dataSource={(rows ?? []) as Row[]}
        pagination={false}
        scroll={{ x: 'max-content' }}
        locale={{ emptyText: <Empty message={empty} /> }}
        columns={columns.map(({ key, label, cell }) => ({
          key,
          title: label,
          render: (_value: unknown, row: Row) => cell(row),
        }))}
      />
    </div>
  )
}
