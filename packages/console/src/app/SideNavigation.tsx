import { Link, type LinkProps } from '@tanstack/react-router'
import { useText } from '../i18n/text.ts'
import { appMessages } from './messages/text.ts'
import { useNavigation } from './use-navigation.ts'

const GROUPS = ['work', 'infrastructure', 'admin'] as const

/** @param onChoose the drawer closes */
export function SideNavigation({ onChoose }: { readonly onChoose?: () => void }) {
  const text = useText(appMessages)
  const entries = useNavigation()
  return (
    <nav aria-label={text('nav.label')} data-testid="navigation">
      {GROUPS.map((group) => {
        const own = entries.filter((entry) => entry.group === group)
        if (own.length === 0) return null
        return (
          <section key={group}>
            <h2 className="om-nav-group">{text(`nav.group.${group}`)}</h2>
            <ul className="om-nav">
              {own.map(({ to, label, icon: Icon }) => (
                <li key={to}>
                  <Link
                    to={to as LinkProps['to'] & string}
                    activeOptions={{ exact: to === '/', includeSearch: false }}
                    data-testid={`nav-${label.slice('nav.'.length)}`}
                    {...(onChoose !== undefined && { onClick: onChoose })}
                  >
                    <Icon aria-hidden />
                    {text(label)}
                  </Link>
                </li>
              ))}
            </ul>
          </section>
        )
      })}
    </nav>
  )
}
