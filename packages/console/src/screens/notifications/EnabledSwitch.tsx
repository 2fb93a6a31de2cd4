import Switch from 'antd/es/switch'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { notificationsMessages } from './messages/text.ts'

interface Props<Row> {
  readonly row: Row
  readonly onChange: (row: Row) => void
}

/** Of a channel or a rule; who may not change it sees how it stands. */
export function EnabledSwitch<Row extends { readonly name: string; readonly enabled: boolean }>({
  row,
  onChange,
}: Props<Row>) {
  const text = useText(notificationsMessages)
  const may = useMay()
  return (
    <Switch
      size="small"
      checked={row.enabled}
      disabled={!may('notification.write')}
      aria-label={`${text('enabled')}: ${row.name}`}
      onChange={() => onChange(row)}
      data-testid={`enabled-${row.name}`}
    />
  )
}
