/** Always in sight: search, Recover, what runs, what is wrong, and whose console this is. */
import {
  BellOutlined,
  GlobalOutlined,
  HeartOutlined,
  MenuOutlined,
  SearchOutlined,
  SyncOutlined,
  UserOutlined,
} from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { Link, type LinkProps } from '@tanstack/react-router'
import Button from 'antd/es/button'
import { apiQuery } from '../api/queries.ts'
import { useMay } from '../api/session.ts'
import { setLanguage } from '../i18n/i18n.ts'
import { useText } from '../i18n/text.ts'
import { useLanguage } from '../i18n/use-language.ts'
import { appMessages } from './messages/text.ts'
import { hasScreen } from './screens-present.ts'
import { ThemeButton } from './ThemeButton.tsx'
import { UserMenu } from './UserMenu.tsx'

interface Props {
  readonly onSearch: () => void
  readonly onNavigate: () => void
}

export function TopBar({ onSearch, onNavigate }: Props) {
  const text = useText(appMessages)
  const may = useMay()
  const language = useLanguage()
  return (
    <header className="om-top">
      <Button
        className="om-narrow"
        type="text"
        icon={<MenuOutlined />}
        aria-label={text('nav.open')}
        onClick={onNavigate}
        data-testid="open-navigation"
      />
      <Link to="/" className="om-logo" data-testid="home">
        <img src="/icon.svg" alt="" width={24} height={24} />
        <span className="om-wide">{text('product')}</span>
      </Link>
      <Button
        className="om-search"
        icon={<SearchOutlined />}
        onClick={onSearch}
        data-testid="search"
      >
        <span className="om-wide">
          {text('search')} <kbd>Ctrl K</kbd>
        </span>
      </Button>
      <span className="om-space" />
      {may('point.restore') && hasScreen('/recover') && (
        <Link to={'/recover' as LinkProps['to'] & string} data-testid="recover">
          <Button danger type="primary" icon={<HeartOutlined />} tabIndex={-1}>
            <span className="om-wide">{text('recover')}</span>
          </Button>
        </Link>
      )}
      {may('source.read') && <Counters />}
      <Button
        type="text"
        icon={<GlobalOutlined />}
        title={text('language')}
        onClick={() => setLanguage(language === 'en' ? 'zh-CN' : 'en')}
        data-testid="language"
      >
        <span className="om-wide">{language === 'en' ? '中文' : 'English'}</span>
      </Button>
      <ThemeButton />
      <UserMenu icon={<UserOutlined />} />
    </header>
  )
}

function Counters() {
  const text = useText(appMessages)
  const may = useMay()
  const { data: status } = useQuery(apiQuery('getStatus'))
  if (status === undefined) return null
  const { jobs, alerts } = status
  const open = alerts.critical + alerts.warning + alerts.info
  return (
    <>
      {may('job.read') && (
        <Link
          to="/jobs"
          search={{ state: 'running' }}
          className="om-counter"
          aria-label={text('running', { count: jobs.running })}
          data-testid="running-jobs"
        >
          <SyncOutlined spin={jobs.running > 0} aria-hidden /> {jobs.running}
        </Link>
      )}
      {may('alert.read') && hasScreen('/alerts') && (
        <Link
          to={'/alerts' as LinkProps['to'] & string}
          className="om-counter"
          aria-label={text('alerts', { count: open })}
          data-testid="open-alerts"
        >
          <BellOutlined aria-hidden /> {open}
        </Link>
      )}
    </>
  )
}
