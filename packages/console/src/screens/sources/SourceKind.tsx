import {
  ConsoleSqlOutlined,
  DatabaseOutlined,
  FolderOutlined,
  HddOutlined,
} from '@ant-design/icons'
import type { ComponentType } from 'react'
import { hasKey, useText } from '../../i18n/text.ts'
import { sourcesMessages } from './messages/text.ts'

const ICONS: Readonly<Record<string, ComponentType>> = {
  files: FolderOutlined,
  disk: HddOutlined,
  postgres: ConsoleSqlOutlined,
  mysql: DatabaseOutlined,
}

/** A kind that a newer server adds keeps its own word. */
export function SourceKind({ kind }: { readonly kind: string }) {
  const text = useText(sourcesMessages)
  const Icon = ICONS[kind] ?? DatabaseOutlined
  const key = `kind.${kind}`
  return (
    <span className="om-state">
      <Icon aria-hidden />
      {hasKey(sourcesMessages, key) ? text(key as 'kind.files') : kind}
    </span>
  )
}
