import type { ReactNode } from 'react'
import { useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Dropdown from 'antd/es/dropdown'
import { useMe } from '../api/session.ts'
import { useText } from '../i18n/text.ts'
import { logOut } from './log-out.ts'
import { appMessages } from './messages/text.ts'
import { hasScreen } from './screens-present.ts'

export function UserMenu({ icon }: { readonly icon: ReactNode }) {
  const text = useText(appMessages)
  const me = useMe()
  const navigate = useNavigate()
  const name = me?.user?.displayName ?? me?.user?.name ?? me?.actor ?? ''
  const items = [
    ...(hasScreen('/account') ? [{ key: '/account', label: text('nav.account') }] : []),
    { key: 'docs', label: text('apiDocs') },
    { key: 'logout', label: text('logout') },
  ]
  const choose = (key: string): void => {
    if (key === 'logout') void logOut()
    else if (key === 'docs') open('/api/docs', '_blank', 'noopener')
    else void navigate({ to: key })
  }
  return (
    <Dropdown trigger={['click']} menu={{ items, onClick: ({ key }) => choose(key) }}>
      <Button type="text" icon={icon} aria-label={text('user', { name })} data-testid="user">
        <span className="om-wide">{name}</span>
      </Button>
    </Dropdown>
  )
}
