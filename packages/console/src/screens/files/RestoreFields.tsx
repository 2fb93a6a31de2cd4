import { useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import AutoComplete from 'antd/es/auto-complete'
import Radio from 'antd/es/radio'
import Segmented from 'antd/es/segmented'
import Select from 'antd/es/select'
import type { Host } from '@openmaas/api/resources/host'
import { apiQuery } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import type { BasketItem } from './basket.ts'
import { filesMessages } from './messages/text.ts'
import { childOf, parentOf, placedAt } from './paths.ts'
import { CONFLICTS, type RestoreForm } from './restore-form.ts'
import type { StartedRestore } from './RestoreOutcome.tsx'

interface Props {
  readonly form: RestoreForm
  readonly hosts: readonly Host[]
  readonly groups: readonly (readonly BasketItem[])[]
  readonly wanted: readonly {
    readonly items: readonly BasketItem[]
    readonly place: StartedRestore['place']
  }[]
  readonly onChange: (changed: Partial<RestoreForm>) => void
}

/** Of each point; the basket has the rest. */
const SHOWN_MAX = 5

export function RestoreFields({ form, hosts, groups, wanted, onChange }: Props) {
  const text = useText(filesMessages)
  return (
    <>
      {groups.map((items) => (
        <What
          key={items[0]!.pointId}
          items={items}
          to={wanted.find((one) => one.items === items)?.place.to ?? null}
        />
      ))}
      <div className="om-field">
        <span>{text('restore.host')}</span>
        <Select
          aria-label={text('restore.host')}
          data-testid="restore-host"
          value={form.hostId}
          placeholder={text('restore.host.none')}
          options={hosts.map(({ id, name, state }) => ({
            value: id,
            label: name,
            disabled: state !== 'online',
          }))}
          onChange={(hostId) => onChange({ hostId })}
        />
      </div>
      <div className="om-field">
        <span>{text('restore.where')}</span>
        <Segmented
          aria-label={text('restore.where')}
          value={form.isInPlace ? 'original' : 'elsewhere'}
          options={(['original', 'elsewhere'] as const).map((value) => ({
            value,
            label: text(`restore.where.${value}`),
          }))}
          onChange={(value) => onChange({ isInPlace: value === 'original' })}
          data-testid="restore-where"
        />
      </div>
      {!form.isInPlace && <Target form={form} onChange={onChange} />}
      <fieldset className="om-choice">
        <legend>{text('restore.conflict')}</legend>
        <Radio.Group
          className="om-conflicts"
          value={form.conflict}
          onChange={(event) =>
            onChange({ conflict: event.target.value as RestoreForm['conflict'] })
          }
        >
          {CONFLICTS.map((conflict) => (
            <Radio key={conflict} value={conflict} data-testid={`conflict-${conflict}`}>
              {text(`restore.conflict.${conflict}`)}
              <small className="om-quiet">{text(`restore.conflict.${conflict}.help`)}</small>
            </Radio>
          ))}
        </Radio.Group>
      </fieldset>
    </>
  )
}

function What({
  items,
  to,
}: {
  readonly items: readonly BasketItem[]
  readonly to: string | null
}) {
  const text = useText(filesMessages)
  const format = useFormat()
  const more = items.length - SHOWN_MAX
  return (
    <section data-testid="restore-what">
      <h3>
        {text('restore.what')}{' '}
        <small className="om-quiet">
          {text('restore.at', { at: format.exact(items[0]!.takenAt) })}
        </small>
      </h3>
      <ul>
        {items.slice(0, SHOWN_MAX).map(({ path }) => (
          <li key={path}>
            <code className="om-code">{path === '/' ? text('restore.all') : path}</code>
            {to !== null && (
              <small className="om-quiet" data-testid="restore-becomes">
                {' '}
                → {path === '/' ? to : placedAt(to, path)}
              </small>
            )}
          </li>
        ))}
      </ul>
      {more > 0 && <p className="om-quiet">{text('restore.others', { count: more })}</p>}
    </section>
  )
}

type TargetProps = Pick<Props, 'form' | 'onChange'>

/** Folders of the host are proposed, to those who may look into it. */
function Target({ form, onChange }: TargetProps) {
  const text = useText(filesMessages)
  const may = useMay()
  const [isTouched, setTouched] = useState(false)
  const folder = parentOf(form.to)
  const { hostId } = form
  const listed = useQuery({
    ...apiQuery('listHostFiles', { params: { hostId: hostId ?? '' }, query: { path: folder } }),
    enabled: may('source.write') && hostId !== null && form.to.startsWith('/'),
    retry: false,
  })
  const folders = listed.data?.items.filter(({ kind }) => kind === 'directory') ?? []
  const options = folders
    .map(({ name }) => ({ value: childOf(folder, name) }))
    .filter(({ value }) => value.startsWith(form.to))
  const isWrong = isTouched && !form.to.startsWith('/')
  return (
    <div className="om-field">
      <span>{text('restore.to')}</span>
      <AutoComplete
        aria-label={text('restore.to')}
        value={form.to}
        options={options}
        status={isWrong ? 'error' : ''}
        placeholder="/tmp/restored"
        onChange={(to: string) => onChange({ to })}
        onBlur={() => setTouched(true)}
        data-testid="restore-to"
      />
      <small className={isWrong ? 'om-state-warning' : 'om-quiet'}>
        {isWrong ? text('restore.to.wrong') : text('restore.to.help')}
      </small>
    </div>
  )
}
