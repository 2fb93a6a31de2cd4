/** Below a list: pages, their size, columns, CSV. */
import { SettingOutlined } from '@ant-design/icons'
import Button from 'antd/es/button'
import Dropdown from 'antd/es/dropdown'
import Select from 'antd/es/select'
import { useText } from '../i18n/text.ts'
import { downloadCsv, toCsv } from './csv.ts'
import type { Column } from './DataList.tsx'
import { uiMessages } from './messages/text.ts'
import { PAGE_SIZE_DEFAULT, PAGE_SIZES, type ListSearch } from './search-params.ts'

interface Props<Row> {
  readonly name: string
  readonly rows: readonly Row[]
  readonly next: string | null
  readonly columns: readonly Column<Row>[]
  /** Keys of the columns that are shown. */
  readonly shown: readonly string[]
  readonly search: ListSearch
  readonly onChange: (changed: ListSearch) => void
}

const FIRST_PAGE = { cursor: undefined, page: undefined }

export function ListFoot<Row>(props: Props<Row>) {
  const { name, rows, next, columns, shown, search, onChange } = props
  const text = useText(uiMessages)
  const { page = 1, limit = PAGE_SIZE_DEFAULT } = search
  const exportCsv = (): void => {
    const exported = columns.filter(({ key, value }) => value !== undefined && shown.includes(key))
    const head = exported.map(({ label }) => label)
    downloadCsv(name, toCsv([head, ...rows.map((row) => exported.map(({ value }) => value!(row)))]))
  }
  return (
    <div className="om-list-foot">
      <span className="om-quiet">{text('list.rows', { count: rows.length })}</span>
      <span className="om-space" />
      <ColumnChooser columns={columns} shown={shown} onChange={onChange} />
      <Button size="small" onClick={exportCsv} data-testid="export-csv">
        {text('list.csv')}
      </Button>
      <Select
        size="small"
        aria-label={text('list.size')}
        value={limit}
        options={PAGE_SIZES.map((size) => ({ value: size, label: String(size) }))}
        onChange={(size) => onChange({ limit: size, ...FIRST_PAGE })}
      />
      {page > 1 && (
        <Button size="small" onClick={() => onChange(FIRST_PAGE)} data-testid="first-page">
          {text('list.first')}
        </Button>
      )}
      <span>{page}</span>
      <Button
        size="small"
        disabled={next === null}
        onClick={() => onChange({ cursor: next ?? undefined, page: page + 1 })}
        data-testid="next-page"
      >
        {text('list.next')}
      </Button>
    </div>
  )
}

type ChooserProps<Row> = Pick<Props<Row>, 'columns' | 'shown' | 'onChange'>

function ColumnChooser<Row>({ columns, shown, onChange }: ChooserProps<Row>) {
  const text = useText(uiMessages)
  const choose = (keys: readonly string[]): void => {
    // In the order of the table; nothing at all would be no table.
    const chosen = columns.map(({ key }) => key).filter((key) => keys.includes(key))
    if (chosen.length > 0) onChange({ columns: chosen.join(',') })
  }
  const menu = {
    items: columns.map(({ key, label }) => ({ key, label })),
    selectable: true,
    multiple: true,
    selectedKeys: [...shown],
    onSelect: ({ selectedKeys }: { selectedKeys: string[] }) => choose(selectedKeys),
    onDeselect: ({ selectedKeys }: { selectedKeys: string[] }) => choose(selectedKeys),
  }
  return (
    <Dropdown menu={menu} trigger={['click']}>
      <Button size="small" icon={<SettingOutlined />} data-testid="columns">
        {text('list.columns')}
      </Button>
    </Dropdown>
  )
}
