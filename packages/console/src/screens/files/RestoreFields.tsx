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
import { type Basket, type BasketItem, byPoint } from './basket.ts'
import { filesMessages } from './messages/text.ts'
import { childOf, parentOf } from './paths.ts'
import {
  becomes,
  CONFLICTS,
  hasTwins,
  type RestoreForm,
  type WantedRestore,
} from './restore-form.ts'

interface Props {
  readonly form: RestoreForm
  readonly hosts: readonly Host[]
  readonly items: Basket
  /** Null while it is not known where to. */
  readonly wanted: readonly WantedRestore[] | null
  readonly onChange: (changed: Partial<RestoreForm>) => void
}

/** Of each point; the basket has the rest. */
const SHOWN_MAX = 5

export function RestoreFields({ form, hosts, items, wanted, onChange }: Props) {
  const text = useText(filesMessages)
  return (
    <>
      {byPoint(items).map((own) => (
        <What key={own[0]!.pointId} items={own} wanted={wanted ?? []} />
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
      {!form.isInPlace && (
        <>
          <Target form={form} onChange={onChange} />
          <Layout form={form} items={items} onChange={onChange} />
        </>
      )}
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

interface WhatProps {
  readonly items: Basket
  readonly wanted: readonly WantedRestore[]
}

function What({ items, wanted }: WhatProps) {
  const placeOf = (item: BasketItem): string | null => {
    const request = wanted.find((one) => one.items.includes(item))
    return request === undefined ? null : becomes(request, item)
  }
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
        {items.slice(0, SHOWN_MAX).map((item) => {
          const place = placeOf(item)
          return (
            <li key={item.path}>
              <code className="om-code">{item.path === '/' ? text('restore.all') : item.path}</code>
              {place !== null && (
                <small className="om-quiet" data-testid="restore-becomes">
                  {' '}
                  → {place}
                </small>
              )}
            </li>
          )
        })}
      </ul>
      {more > 0 && <p className="om-quiet">{text('restore.others', { count: more })}</p>}
    </section>
  )
}

type TargetProps = Pick<Props, 'form' | 'onChange'>

function Layout({ form, items, onChange }: TargetProps & { readonly items: Basket }) {
  const text = useText(filesMessages)
  return (
    <div className="om-field">
      <span>{text('restore.layout')}</span>
      <Segmented
        aria-label={text('restore.layout')}
        value={form.keepFolders ? 'keep' : 'flat'}
        options={[
          { value: 'keep', label: text('restore.layout.keep') },
          { value: 'flat', label: text('restore.layout.flat'), disabled: hasTwins(items) },
        ]}
        onChange={(value) => onChange({ keepFolders: value === 'keep' })}
        data-testid="restore-layout"
      />
    </div>
  )
}

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
