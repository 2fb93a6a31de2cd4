/** Who is told of alerts: channels, the rules that choose among them, and what was sent. */
import { useState } from 'react'
import { useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Tabs from 'antd/es/tabs'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { Page } from '../../ui/Page.tsx'
import { Channels } from './Channels.tsx'
import { Deliveries } from './Deliveries.tsx'
import { notificationsMessages } from './messages/text.ts'
import { NewChannel } from './NewChannel.tsx'
import { TABS } from './queries.ts'
import { notificationsRoute } from './routes.ts'
import { RuleDialog } from './RuleDialog.tsx'
import { Rules } from './Rules.tsx'

const SAME = {
  channels: { cli: 'openmaas channel list', api: 'GET /api/v1/notification-channels' },
  rules: { cli: 'openmaas rule list', api: 'GET /api/v1/notification-rules' },
  // The CLI has no verb for it.
  deliveries: { cli: 'openmaas rule list', api: 'GET /api/v1/notifications' },
} as const

export function NotificationsPage() {
  const text = useText(notificationsMessages)
  const may = useMay()
  const navigate = useNavigate({ from: '/notifications' })
  const search = notificationsRoute.useSearch()
  const { tab = 'channels' } = search
  const [isAdding, setAdding] = useState(false)
  const close = (): void => setAdding(false)
  const canAdd = tab !== 'deliveries' && may('notification.write')
  return (
    <Page
      title={text('title')}
      actions={
        canAdd && (
          <Button type="primary" onClick={() => setAdding(true)} data-testid="add">
            {text(`${tab}.add`)}
          </Button>
        )
      }
      {...SAME[tab]}
    >
      <Tabs
        activeKey={tab}
        items={TABS.map((name) => ({ key: name, label: text(`tab.${name}`) }))}
        onChange={(name) => void navigate({ search: { tab: name as (typeof TABS)[number] } })}
      />
      {tab === 'channels' && <Channels />}
      {tab === 'rules' && <Rules />}
      {tab === 'deliveries' && <Deliveries search={search} />}
      {isAdding && tab === 'channels' && <NewChannel onClose={close} />}
      {isAdding && tab === 'rules' && <RuleDialog onClose={close} />}
    </Page>
  )
}
