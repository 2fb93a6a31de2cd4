/** What holds for the whole installation, and where each value comes from. */
import { useState, type ReactNode } from 'react'
import { useMutation, useQueryClient, useSuspenseQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Input from 'antd/es/input'
import InputNumber from 'antd/es/input-number'
import Select from 'antd/es/select'
import Switch from 'antd/es/switch'
import type { Settings } from '@openmaas/api/resources/setting'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { Page } from '../../ui/Page.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { settingsMessages } from './messages/text.ts'
import { originOf } from './origin.ts'
import { settingsQuery } from './routes.ts'

export function SettingsPage() {
  const text = useText(settingsMessages)
  const may = useMay()
  const { data: settings } = useSuspenseQuery(settingsQuery)
  return (
    <Page
      title={text('title')}
      actions={
        may('support.read') && (
          <Button href="/api/v1/support-bundle" data-testid="support-bundle">
            {text('support')}
          </Button>
        )
      }
      cli="openmaas settings show"
      api="GET /api/v1/settings"
    >
      {/* Another version is another form: what was typed was about values that are gone. */}
      <SettingsForm key={settings.version} settings={settings} isFixed={!may('setting.write')} />
      <p className="om-quiet">{text('flags')}</p>
      {may('audit.read') && (
        <Link to="/audit" search={{ object: 'settings' }} data-testid="settings-history">
          {text('history')}
        </Link>
      )}
    </Page>
  )
}

interface FormProps {
  readonly settings: Settings
  readonly isFixed: boolean
}

const SYSLOG_TRANSPORTS = ['tcp', 'tls', 'udp'] as const
const IDLE_MINUTES_MIN = 5
const IDLE_MINUTES_MAX = 1440

/** What is typed; saved whole, for the version that was read. */
function useSettingsForm(settings: Settings) {
  const queryClient = useQueryClient()
  const [fourEyes, setFourEyes] = useState(settings.fourEyes)
  const [idle, setIdle] = useState(settings.sessionIdleMinutes)
  const [publicUrl, setPublicUrl] = useState(settings.publicUrl ?? '')
  const [syslog, setSyslog] = useState(settings.auditSyslog?.address ?? '')
  const [transport, setTransport] = useState(settings.auditSyslog?.transport ?? 'tcp')
  const save = useMutation({
    mutationFn: () =>
      apiCall('changeSettings', {
        ifMatch: `"${settings.version}"`,
        body: {
          fourEyes,
          sessionIdleMinutes: idle,
          publicUrl: publicUrl.trim() === '' ? null : publicUrl.trim(),
          auditSyslog: syslog.trim() === '' ? null : { address: syslog.trim(), transport },
        },
      }),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: settingsQuery.queryKey }),
  })
  return {
    fourEyes,
    setFourEyes,
    idle,
    setIdle,
    publicUrl,
    setPublicUrl,
    syslog,
    setSyslog,
    transport,
    setTransport,
    save,
  }
}

function SettingsForm({ settings, isFixed }: FormProps) {
  const text = useText(settingsMessages)
  const form = useSettingsForm(settings)
  return (
    <section className="om-panel" data-testid="settings">
      <Row name="fourEyes" settings={settings}>
        <Switch
          checked={form.fourEyes}
          disabled={isFixed}
          aria-label={text('fourEyes')}
          onChange={form.setFourEyes}
          data-testid="four-eyes"
        />
      </Row>
      <Row name="sessionIdleMinutes" settings={settings}>
        <InputNumber
          min={IDLE_MINUTES_MIN}
          max={IDLE_MINUTES_MAX}
          value={form.idle}
          disabled={isFixed}
          aria-label={text('sessionIdleMinutes')}
          onChange={(value) => form.setIdle(value ?? settings.sessionIdleMinutes)}
          data-testid="session-idle"
        />
      </Row>
      <Row name="publicUrl" settings={settings}>
        <Input
          value={form.publicUrl}
          disabled={isFixed}
          placeholder="https://backup.example.com"
          aria-label={text('publicUrl')}
          onChange={(event) => form.setPublicUrl(event.target.value)}
          data-testid="public-url"
        />
      </Row>
      <Row name="auditSyslog" settings={settings}>
        <SyslogTarget form={form} isFixed={isFixed} />
      </Row>
      <Row name="oidc" settings={settings}>
        {settings.oidc.map(({ name, issuer }) => `${name} (${issuer})`).join(', ') ||
          text('oidc.none')}
      </Row>
      {form.save.isError && <ProblemView error={form.save.error} />}
      {!isFixed && (
        <Button
          type="primary"
          loading={form.save.isPending}
          onClick={() => form.save.mutate()}
          style={{ marginTop: 16 }}
          data-testid="save-settings"
        >
          {text('save')}
        </Button>
      )}
    </section>
  )
}

interface SyslogProps {
  readonly form: ReturnType<typeof useSettingsForm>
  readonly isFixed: boolean
}

function SyslogTarget({ form, isFixed }: SyslogProps) {
  const text = useText(settingsMessages)
  return (
    <span style={{ display: 'flex', gap: 8 }}>
      <Input
        value={form.syslog}
        disabled={isFixed}
        placeholder="syslog.example.com:6514"
        aria-label={text('auditSyslog')}
        onChange={(event) => form.setSyslog(event.target.value)}
        data-testid="audit-syslog"
      />
      <Select
        value={form.transport}
        disabled={isFixed}
        aria-label={text('transport')}
        options={SYSLOG_TRANSPORTS.map((value) => ({ value, label: value.toUpperCase() }))}
        onChange={form.setTransport}
      />
    </span>
  )
}

interface RowProps {
  readonly name: Exclude<keyof Settings, 'version'>
  readonly settings: Settings
  readonly children: ReactNode
}

function Row({ name, settings, children }: RowProps) {
  const text = useText(settingsMessages)
  const origin = originOf(name, settings)
  return (
    <div
      style={{
        display: 'flex',
        flexWrap: 'wrap',
        gap: '4px 24px',
        padding: '10px 0',
        borderBottom: '1px solid var(--om-line)',
      }}
      data-testid={`setting-${name}`}
    >
      <div style={{ flex: '1 1 260px' }}>
        <strong>{text(name)}</strong>
        <br />
        <small className="om-quiet">{text(`${name}.why`)}</small>
      </div>
      <div style={{ flex: '1 1 260px' }}>{children}</div>
      <div style={{ flex: '0 1 220px' }} className="om-quiet" data-origin={origin}>
        <small>
          {text('origin')}: {text(`origin.${origin}`)}
        </small>
      </div>
    </div>
  )
}
