/** The matrix: every permission by every role, from the very table that the server decides by. */
import { CheckOutlined } from '@ant-design/icons'
import { PERMISSIONS, ROLE_PERMISSIONS, ROLES } from '@openmaas/api/permissions'
import { useText } from '../../i18n/text.ts'
import { usersMessages } from './messages/text.ts'

export function Roles() {
  const text = useText(usersMessages)
  const cell = { padding: '4px 10px', borderBottom: '1px solid var(--om-line)' } as const
  return (
    <section className="om-panel" data-testid="roles">
      <p className="om-quiet">{text('roles.why')}</p>
      {/* It scrolls: who has no mouse has to reach it. */}
      <div style={{ overflow: 'auto' }} tabIndex={0} role="region" aria-label={text('tab.roles')}>
        <table style={{ borderCollapse: 'collapse', width: '100%' }}>
          <thead>
            <tr>
              <th style={{ ...cell, textAlign: 'start' }}>{text('permission')}</th>
              {ROLES.map((role) => (
                <th key={role} style={cell}>
                  {text(`role.${role}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {PERMISSIONS.map((permission) => (
              <tr key={permission}>
                <td style={cell}>
                  <code className="om-code">{permission}</code>
                </td>
                {ROLES.map((role) => (
                  <td key={role} style={{ ...cell, textAlign: 'center' }}>
                    <Mark isAllowed={ROLE_PERMISSIONS[role].includes(permission)} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

function Mark({ isAllowed }: { readonly isAllowed: boolean }) {
  const text = useText(usersMessages)
  if (isAllowed) {
    return <CheckOutlined className="om-state-ok" aria-label={text('roles.yes')} />
  }
  return (
    <span className="om-quiet" role="img" aria-label={text('roles.no')}>
      –
    </span>
  )
}
