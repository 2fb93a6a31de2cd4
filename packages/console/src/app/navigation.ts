/**
 * The side navigation, in order: only screens that exist, and of those what the role may see. A
 * screen that is added gets one row here; its name is in app/messages under `nav.…`.
 */
import {
  AuditOutlined,
  BellOutlined,
  NotificationOutlined,
  SettingOutlined,
  SolutionOutlined,
  TeamOutlined,
  DashboardOutlined,
  ClusterOutlined,
  CopyOutlined,
  DatabaseOutlined,
  FolderOpenOutlined,
  HddOutlined,
  UsbOutlined,
  SafetyCertificateOutlined,
  UnorderedListOutlined,
} from '@ant-design/icons'
import type { ComponentType } from 'react'
import type { Permission } from '@openmaas/api/permissions'
import type { NavigationKey } from './messages/text.ts'

export interface NavigationEntry {
  /** Address without parameters. */
  readonly to: string
  readonly label: NavigationKey
  readonly icon: ComponentType
  /** Absent: for everybody. */
  readonly permission?: Permission
  readonly group: 'work' | 'infrastructure' | 'admin'
  /** Also for data consumers, who see nothing but what is theirs. */
  readonly ownToo?: true
}

export const NAVIGATION: readonly NavigationEntry[] = [
  {
    to: '/',
    label: 'nav.dashboard',
    icon: DashboardOutlined,
    permission: 'source.read',
    group: 'work',
  },
  {
    to: '/sources',
    label: 'nav.sources',
    icon: FolderOpenOutlined,
    permission: 'source.read',
    group: 'work',
  },
  {
    to: '/media',
    label: 'nav.media',
    icon: UsbOutlined,
    permission: 'medium.read',
    group: 'work',
    ownToo: true,
  },
  {
    to: '/virtual-databases',
    label: 'nav.databases',
    icon: CopyOutlined,
    permission: 'virtual-database.read',
    group: 'work',
    ownToo: true,
  },
  {
    to: '/groups',
    label: 'nav.groups',
    icon: ClusterOutlined,
    permission: 'source.read',
    group: 'work',
  },
  {
    to: '/policies',
    label: 'nav.policies',
    icon: SafetyCertificateOutlined,
    permission: 'policy.read',
    group: 'work',
  },
  {
    to: '/jobs',
    label: 'nav.jobs',
    icon: UnorderedListOutlined,
    permission: 'job.read',
    group: 'work',
    ownToo: true,
  },
  {
    to: '/alerts',
    label: 'nav.alerts',
    icon: BellOutlined,
    permission: 'alert.read',
    group: 'work',
  },
  {
    to: '/pools',
    label: 'nav.pools',
    icon: DatabaseOutlined,
    permission: 'pool.read',
    group: 'infrastructure',
  },
  {
    to: '/hosts',
    label: 'nav.hosts',
    icon: HddOutlined,
    permission: 'host.read',
    group: 'infrastructure',
  },
  {
    to: '/users',
    label: 'nav.users',
    icon: TeamOutlined,
    permission: 'user.read',
    group: 'admin',
  },
  {
    to: '/approvals',
    label: 'nav.approvals',
    icon: SolutionOutlined,
    permission: 'approval.read',
    group: 'admin',
  },
  {
    to: '/notifications',
    label: 'nav.notifications',
    icon: NotificationOutlined,
    permission: 'notification.read',
    group: 'admin',
  },
  {
    to: '/audit',
    label: 'nav.audit',
    icon: AuditOutlined,
    permission: 'audit.read',
    group: 'admin',
  },
  {
    to: '/settings',
    label: 'nav.settings',
    icon: SettingOutlined,
    permission: 'setting.read',
    group: 'admin',
  },
]
