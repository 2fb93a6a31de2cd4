/** A state by icon, word and colour, the same everywhere: CONSOLE.md, section 0, rule 7. */
import {
  CheckCircleOutlined,
  ClockCircleOutlined,
  CloseCircleOutlined,
  ExclamationCircleOutlined,
  PauseCircleOutlined,
  QuestionCircleOutlined,
  StopOutlined,
  SyncOutlined,
} from '@ant-design/icons'
import type { ComponentType } from 'react'
import { hasKey, useText } from '../i18n/text.ts'
import { uiMessages } from './messages/text.ts'

type Look = 'ok' | 'warning' | 'failed' | 'running' | 'waiting' | 'paused' | 'ended' | 'unknown'

const LOOKS: Readonly<Record<Look, { readonly icon: ComponentType; readonly colour: string }>> = {
  ok: { icon: CheckCircleOutlined, colour: 'ok' },
  warning: { icon: ExclamationCircleOutlined, colour: 'warning' },
  failed: { icon: CloseCircleOutlined, colour: 'failed' },
  running: { icon: SyncOutlined, colour: 'running' },
  waiting: { icon: ClockCircleOutlined, colour: 'quiet' },
  paused: { icon: PauseCircleOutlined, colour: 'quiet' },
  ended: { icon: StopOutlined, colour: 'quiet' },
  unknown: { icon: QuestionCircleOutlined, colour: 'quiet' },
}

/** Words of the API → look; a state that a newer server adds looks unknown and keeps its word. */
const LOOK_OF: Readonly<Record<string, Look>> = {
  ok: 'ok',
  succeeded: 'ok',
  compliant: 'ok',
  online: 'ok',
  done: 'ok',
  active: 'ok',
  available: 'ok',
  resolved: 'ok',
  plugged: 'ok',
  verified: 'ok',
  warning: 'warning',
  'at-risk': 'warning',
  degraded: 'warning',
  full: 'failed',
  failed: 'failed',
  violated: 'failed',
  offline: 'failed',
  critical: 'failed',
  firing: 'failed',
  lost: 'failed',
  missing: 'failed',
  running: 'running',
  plugging: 'running',
  ejecting: 'running',
  deleting: 'running',
  queued: 'waiting',
  pending: 'waiting',
  paused: 'paused',
  cancelled: 'ended',
  undone: 'ended',
  ejected: 'ended',
  deleted: 'ended',
  disabled: 'ended',
  unprotected: 'warning',
  info: 'unknown',
}

export function StateTag({ state }: { readonly state: string }) {
  const text = useText(uiMessages)
  const { icon: Icon, colour } = LOOKS[LOOK_OF[state] ?? 'unknown']
  const key = `state.${state}`
  return (
    <span className={`om-state om-state-${colour}`} data-state={state}>
      <Icon aria-hidden />
      {hasKey(uiMessages, key) ? text(key as 'state.ok') : state}
    </span>
  )
}
