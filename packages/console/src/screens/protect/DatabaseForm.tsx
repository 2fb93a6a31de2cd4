/**
 * How production is reached, and whether it can be protected: each check with what is to be done
 * about it. The password stays in this page: it is in no address, and gone with a reload.
 */
import { CheckCircleFilled, CloseCircleFilled } from '@ant-design/icons'
import { useMutation } from '@tanstack/react-query'
import Button from 'antd/es/button'
import Input from 'antd/es/input'
import InputNumber from 'antd/es/input-number'
import Select from 'antd/es/select'
import type { DatabaseKind } from '@openmaas/api/resources/database'
import type { AnswerOf } from '@openmaas/api/routes/routes'
import { apiCall } from '../../api/queries.ts'
import { useFormat } from '../../format/use-format.ts'
import { hasKey, useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { type Database, toConnection } from './database.ts'
import { protectMessages } from './messages/text.ts'

interface Props {
  readonly kind: DatabaseKind
  readonly hostId: string
  readonly database: Database
  readonly onChange: (database: Database) => void
}

const PORT_MAX = 65_535
const TLS = ['off', 'require', 'verify'] as const

export function DatabaseForm({ kind, hostId, database, onChange }: Props) {
  const text = useText(protectMessages)
  const check = useMutation({
    mutationFn: () =>
      apiCall('checkDatabase', { body: { kind, hostId, connection: toConnection(database) } }),
    onSuccess: ({ ok }) => onChange({ ...database, isChecked: ok }),
  })
  // What was changed has not been checked.
  const change = (changed: Partial<Database>): void =>
    onChange({ ...database, ...changed, isChecked: false })
  return (
    <section className="om-form om-form-narrow" data-testid="database">
      <h2>{text('database.title')}</h2>
      <Fields database={database} onChange={change} />
      <div>
        <Button
          type={database.isChecked ? 'default' : 'primary'}
          loading={check.isPending}
          disabled={database.host.trim() === '' || database.user.trim() === ''}
          onClick={() => check.mutate()}
          data-testid="database-check"
        >
          {text('database.check')}
        </Button>
      </div>
      {check.isError && <ProblemView error={check.error} />}
      {check.data !== undefined && <Checked checked={check.data} />}
    </section>
  )
}

interface FieldsProps {
  readonly database: Database
  readonly onChange: (changed: Partial<Database>) => void
}

function Fields({ database, onChange }: FieldsProps) {
  const text = useText(protectMessages)
  return (
    <>
      <label>
        {text('database.host')}
        <Input
          value={database.host}
          onChange={({ target }) => onChange({ host: target.value })}
          data-testid="database-host"
        />
        <small className="om-quiet">{text('database.host.detail')}</small>
      </label>
      <label>
        {text('database.port')}
        <InputNumber
          min={1}
          max={PORT_MAX}
          precision={0}
          value={database.port}
          onChange={(port) => port !== null && onChange({ port })}
          data-testid="database-port"
        />
      </label>
      <label>
        {text('database.user')}
        <Input
          value={database.user}
          autoComplete="off"
          onChange={({ target }) => onChange({ user: target.value })}
          data-testid="database-user"
        />
      </label>
      <label>
        {text('database.password')}
        <Input.Password
          value={database.password}
          autoComplete="new-password"
          onChange={({ target }) => onChange({ password: target.value })}
          data-testid="database-password"
        />
      </label>
      <div className="om-field">
        {text('database.tls')}
        <Select<Database['tls']>
          aria-label={text('database.tls')}
          value={database.tls}
          options={TLS.map((value) => ({ value, label: text(`database.tls.${value}`) }))}
          onChange={(tls) => onChange({ tls })}
          data-testid="database-tls"
        />
      </div>
    </>
  )
}

function Checked({ checked }: { readonly checked: AnswerOf<'checkDatabase'> }) {
  const text = useText(protectMessages)
  const format = useFormat()
  const { ok, engineVersion, sizeBytes, checks } = checked
  return (
    <div aria-live="polite" data-testid="database-checks" data-ok={ok}>
      <p className={ok ? 'om-state-ok' : 'om-state-failed'}>
        {text(ok ? 'database.ok' : 'database.missing')} {engineVersion} · {format.bytes(sizeBytes)}
      </p>
      <ul className="om-steps">
        {checks.map(({ name, ok: holds, message, remedy }) => (
          <li key={name}>
            {holds ? (
              <CheckCircleFilled className="om-state-ok" aria-label={text('database.holds')} />
            ) : (
              <CloseCircleFilled className="om-state-failed" aria-label={text('database.fails')} />
            )}
            <CheckText name={name} message={message} isFine={holds && remedy === ''} />
            {remedy !== '' && (
              <div className="om-line om-remedy">
                <pre className="om-code" tabIndex={0}>
                  {remedy}
                </pre>
                <CopyButton value={remedy} />
              </div>
            )}
          </li>
        ))}
      </ul>
    </div>
  )
}

interface CheckProps {
  readonly name: string
  readonly message: string
  /** It holds, and there is nothing to mend. */
  readonly isFine: boolean
}

/** In the reader's language; the server's own words say the numbers. Other plug-ins have these. */
function CheckText({ name, message, isFine }: CheckProps) {
  const text = useText(protectMessages)
  const key = `${isFine ? 'holds' : 'lacks'}.${name}`
  if (!hasKey(protectMessages, key)) return <span lang="en">{message}</span>
  return (
    <span>
      {text(key as 'holds.role')}
      {!isFine && (
        <small className="om-quiet" lang="en">
          {message}
        </small>
      )}
    </span>
  )
}
