import { Link } from '@tanstack/react-router'
import { useText } from '../i18n/text.ts'
import { uiMessages } from './messages/text.ts'

export function PageMissing() {
  const text = useText(uiMessages)
  return (
    <div className="om-center" data-testid="missing">
      <h1>{text('missing.title')}</h1>
      <Link to="/">{text('missing.home')}</Link>
    </div>
  )
}
