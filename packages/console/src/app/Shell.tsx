/** What surrounds every page: top bar, navigation, the bar that says that data may be stale. */
import { lazy, Suspense, useEffect, useState } from 'react'
import { useQueryClient } from '@tanstack/react-query'
import { Outlet, useNavigate, useRouterState } from '@tanstack/react-router'
import { useMe } from '../api/session.ts'
import { useText } from '../i18n/text.ts'
import { ConnectionBar } from './ConnectionBar.tsx'
import { ConnectionContext } from './connection.ts'
import { LiveEvents } from '../api/live-events.ts'
import { appMessages } from './messages/text.ts'
import { SideNavigation } from './SideNavigation.tsx'
import { TopBar } from './TopBar.tsx'

const CommandPalette = lazy(async () => ({
  default: (await import('./CommandPalette.tsx')).CommandPalette,
}))
const NavigationDrawer = lazy(async () => ({
  default: (await import('./NavigationDrawer.tsx')).NavigationDrawer,
}))

export function Shell() {
  const text = useText(appMessages)
  const connection = useLiveEvents()
  const [isSearching, setSearching] = useState(false)
  const [isNavigating, setNavigating] = useState(false)
  useLeaveAfterLogout()
  useSearchShortcut(setSearching)
  return (
    <ConnectionContext value={connection}>
      <a className="om-skip" href="#content">
        {text('skip')}
      </a>
      <TopBar onSearch={() => setSearching(true)} onNavigate={() => setNavigating(true)} />
      <ConnectionBar />
      <div className="om-body">
        <aside className="om-side">
          <SideNavigation />
        </aside>
        <main id="content" className="om-main" tabIndex={-1}>
          <Outlet />
        </main>
      </div>
      <Suspense>
        {isSearching && <CommandPalette onClose={() => setSearching(false)} />}
        {isNavigating && <NavigationDrawer onClose={() => setNavigating(false)} />}
      </Suspense>
    </ConnectionContext>
  )
}

/** One stream for as long as somebody is logged in and looks. */
function useLiveEvents(): LiveEvents | null {
  const queryClient = useQueryClient()
  const [events, setEvents] = useState<LiveEvents | null>(null)
  useEffect(() => {
    const made = new LiveEvents(queryClient)
    setEvents(made)
    return () => made[Symbol.dispose]()
  }, [queryClient])
  return events
}

function useLeaveAfterLogout(): void {
  const me = useMe()
  const navigate = useNavigate()
  const href = useRouterState({ select: (state) => state.location.href })
  useEffect(() => {
    if (me === null) void navigate({ to: '/login', search: href === '/' ? {} : { to: href } })
  }, [me, navigate, href])
}

function useSearchShortcut(open: (isOpen: boolean) => void): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey)) return
      event.preventDefault()
      open(true)
    }
    addEventListener('keydown', listen)
    return () => removeEventListener('keydown', listen)
  }, [open])
}
