import Drawer from 'antd/es/drawer'
import { useText } from '../i18n/text.ts'
import { appMessages } from './messages/text.ts'
import { SideNavigation } from './SideNavigation.tsx'

/** The navigation of a narrow screen. */
export function NavigationDrawer({ onClose }: { readonly onClose: () => void }) {
  const text = useText(appMessages)
  return (
    <Drawer open placement="left" size={280} title={text('product')} onClose={onClose}>
      <SideNavigation onChoose={onClose} />
    </Drawer>
  )
}
