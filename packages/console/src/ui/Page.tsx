/** A page: breadcrumb, title, one primary action; below, how the CLI and the API say the same. */
import { Fragment, useEffect, type ReactNode } from 'react'
import { Link, type LinkProps } from '@tanstack/react-router'
import { useText } from '../i18n/text.ts'
import { CopyButton } from './CopyButton.tsx'
import { uiMessages } from './messages/text.ts'

interface Props {
  readonly title: string
  /** Beside the title, such as a state. */
  readonly mark?: ReactNode
  readonly crumbs?: readonly { readonly label: string; readonly to: LinkProps['to'] & string }[]
  /** The one blue button, and others before it. */
  readonly actions?: ReactNode
  /** `openmaas job list --state failed` */
  readonly cli: string
  /** `GET /api/v1/jobs?filter[state]=failed` */
  readonly api: string
  readonly children: ReactNode
}

export function Page({ title, mark, crumbs = [], actions, cli, api, children }: Props) {
  const text = useText(uiMessages)
  useEffect(() => {
    document.title = `${title} · OpenMaaS`
  }, [title])
  return (
    <>
      <div className="om-page-head">
        {crumbs.length > 0 && (
          <nav className="om-crumbs" aria-label={text('page.breadcrumb')}>
            {crumbs.map(({ label, to }) => (
              <Fragment key={to}>
                <Link to={to}>{label}</Link> /{' '}
              </Fragment>
            ))}
          </nav>
        )}
        <h1 data-testid="title">{title}</h1>
        {mark}
        <span className="om-space" />
        {actions}
      </div>
      {children}
      <footer className="om-page-foot" data-testid="equivalents">
        <Equivalent label={text('cli')} value={cli} />
        <Equivalent label={text('api')} value={api} />
      </footer>
    </>
  )
}

function Equivalent({ label, value }: { readonly label: string; readonly value: string }) {
  return (
    <div>
      {label} ▸ <code>{value}</code>
      <CopyButton value={value} />
    </div>
  )
}
