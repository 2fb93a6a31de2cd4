/** Columns of the list of sources: what it is, whether it is protected, and in which words. */
import { useMemo } from 'react'
import { Link } from '@tanstack/react-router'
import type { Source } from '@openmaas/api/resources/source'
import { hasScreen } from '../../app/screens-present.ts'
import { type Text, useText } from '../../i18n/text.ts'
import type { Column } from '../../ui/DataList.tsx'
import { Labels } from '../../ui/Labels.tsx'
import { labelTexts } from '../../ui/label-text.ts'
import { StateTag } from '../../ui/StateTag.tsx'
import { Time } from '../../ui/Time.tsx'
import { sourcesMessages } from './messages/text.ts'
import { SourceKind } from './SourceKind.tsx'
import { useHostName, usePolicyName } from './use-names.ts'
import type { Compliance } from './use-source-rows.ts'

/** The end of an id tells things of one name apart. */
const ID_SHOWN = 8

type SourceText = Text<typeof sourcesMessages.en>
type Name = (id: string) => string

export function useSourceColumns(compliance: ReadonlyMap<string, Compliance>): Column<Source>[] {
  const text = useText(sourcesMessages)
  const hostName = useHostName()
  const policyName = usePolicyName()
  return useMemo(
    () => [
      nameColumn(text),
      {
        key: 'state',
        label: text('state'),
        cell: ({ id }) => <Status compliance={compliance.get(id)} />,
        value: ({ id }) => compliance.get(id)?.state ?? null,
      },
      {
        key: 'kind',
        label: text('kind'),
        cell: ({ kind }) => <SourceKind kind={kind} />,
        value: ({ kind }) => kind,
      },
      {
        key: 'host',
        label: text('host'),
        cell: ({ hostId }) => hostName(hostId),
        value: ({ hostId }) => hostName(hostId),
      },
      policyColumn(text, policyName),
      timeColumn(text, 'lastSuccessAt'),
      {
        key: 'nextRunAt',
        label: text('nextRunAt'),
        cell: ({ nextRunAt: at }) =>
          at === null ? <span className="om-quiet">–</span> : <Time at={at} />,
        value: ({ nextRunAt }) => nextRunAt,
      },
      ...hiddenColumns(text),
    ],
    [text, compliance, hostName, policyName],
  )
}

function nameColumn(text: SourceText): Column<Source> {
  return {
    key: 'name',
    label: text('name'),
    sortable: true,
    cell: ({ id, name, path }) => (
      <>
        <Link
          to="/sources/$sourceId"
          params={{ sourceId: id }}
          data-testid={`source-${id}`}
          title={path}
        >
          {name}
        </Link>{' '}
        <small className="om-quiet">{id.slice(-ID_SHOWN)}</small>
      </>
    ),
    value: ({ name }) => name,
  }
}

function policyColumn(text: SourceText, name: Name): Column<Source> {
  return {
    key: 'policy',
    label: text('policy'),
    cell: ({ effectivePolicyId: id }) => <PolicyLink id={id} name={name} />,
    value: ({ effectivePolicyId: id }) => (id === null ? null : name(id)),
  }
}

function timeColumn(text: SourceText, key: 'lastSuccessAt' | 'createdAt'): Column<Source> {
  return {
    key,
    label: text(key),
    sortable: true,
    cell: (source) => <Time at={source[key]} />,
    value: (source) => source[key],
  }
}

/** Shown when they are chosen. */
function hiddenColumns(text: SourceText): Column<Source>[] {
  return [
    {
      key: 'path',
      label: text('path'),
      hidden: true,
      cell: ({ path }) => <code className="om-code">{path}</code>,
      value: ({ path }) => path,
    },
    {
      key: 'labels',
      label: text('labels'),
      hidden: true,
      cell: ({ labels }) => <Labels labels={labels} />,
      value: ({ labels }) => labelTexts(labels).join(' '),
    },
    { ...timeColumn(text, 'createdAt'), hidden: true },
  ]
}

interface PolicyLinkProps {
  readonly id: string | null
  readonly name: (id: string) => string
}

export function PolicyLink({ id, name }: PolicyLinkProps) {
  const text = useText(sourcesMessages)
  if (id === null) return <span className="om-state-warning">{text('policy.none')}</span>
  if (!hasScreen('/policies/$policyId')) return <span>{name(id)}</span>
  return (
    <Link to="/policies/$policyId" params={{ policyId: id }}>
      {name(id)}
    </Link>
  )
}

/** Reasons that stand in columns of their own. */
const IN_COLUMNS = new Set(['NEXT_RUN', 'NO_POLICY'])

function Status({ compliance }: { readonly compliance: Compliance | undefined }) {
  if (compliance === undefined) return <span className="om-quiet">…</span>
  return (
    <span className="om-status">
      <StateTag state={compliance.state} />
      <small className="om-quiet">
        {compliance.reasons
          .filter(({ code }) => !IN_COLUMNS.has(code))
          .map((reason) => reason.text)
          .join(' · ')}
      </small>
    </span>
  )
}
