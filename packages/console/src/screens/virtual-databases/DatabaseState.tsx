/** The state of a virtual database: running is its good one, which for a job would be under way. */
import {
  CheckCircleOutlined,
  CloseCircleOutlined,
  PauseCircleOutlined,
  StopOutlined,
  SyncOutlined,
} from '@ant-design/icons'
import type { ComponentType } from 'react'
import type { VirtualDatabaseState } from '@openmaas/api/resources/virtual-database'
import { useText } from '../../i18n/text.ts'
import { databasesMessages } from './messages/text.ts'
import { isChanging } from './states.ts'

interface Look {
  readonly icon: ComponentType
  readonly colour: 'ok' | 'running' | 'failed' | 'quiet'
}

function lookOf(state: VirtualDatabaseState): Look {
  if (isChanging(state)) return { icon: SyncOutlined, colour: 'running' }
  if (state === 'running') return { icon: CheckCircleOutlined, colour: 'ok' }
  if (state === 'stopped') return { icon: PauseCircleOutlined, colour: 'quiet' }
  if (state === 'dropped') return { icon: StopOutlined, colour: 'quiet' }
  return { icon: CloseCircleOutlined, colour: 'failed' }
}

export function DatabaseState({ state }: { readonly state: VirtualDatabaseState }) {
  const text = useText(databasesMessages)
  const { icon: Icon, colour } = lookOf(state)
  return (
    <span className={`om-state om-state-${colour}`} data-state={state}>
      <Icon aria-hidden />
      {text(`state.${state}`)}
    </span>
  )
}
