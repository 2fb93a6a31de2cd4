import { createContext, use, useSyncExternalStore } from 'react'
import type { Connection, LiveEvents } from '../api/live-events.ts'

export const ConnectionContext = createContext<LiveEvents | null>(null)

const NOTHING = (): (() => void) => () => {}

/** Whether what is shown is as the server has it now. */
export function useConnection(): Connection {
  const events = use(ConnectionContext)
  return useSyncExternalStore(events?.subscribe ?? NOTHING, events?.read ?? (() => 'connecting'))
}
