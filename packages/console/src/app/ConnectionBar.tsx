import { useEffect, useState } from 'react'
import { useText } from '../i18n/text.ts'
import { useConnection } from './connection.ts'
import { appMessages } from './messages/text.ts'

/** CONSOLE.md, section 0: a server that restarts quickly is no news. */
const SHOWN_AFTER_MS = 10_000

export function ConnectionBar() {
  const text = useText(appMessages)
  const isLost = useConnection() === 'lost'
  const [isShown, setShown] = useState(false)
  useEffect(() => {
    if (!isLost) {
      setShown(false)
      return
    }
    const timer = setTimeout(() => setShown(true), SHOWN_AFTER_MS)
    return () => clearTimeout(timer)
  }, [isLost])
  return (
    <div role="status" aria-live="polite" data-testid="connection">
      {isShown && (
        <div className="om-stale" data-testid="stale">
          {text('stale')}
        </div>
      )}
    </div>
  )
}
