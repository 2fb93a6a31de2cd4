/** On which host, and what of it. A host that is missing joins here, while one waits. */
import { useState } from 'react'
import { CheckCircleFilled, PlusOutlined } from '@ant-design/icons'
import { useSuspenseQuery } from '@tanstack/react-query'
import Button from 'antd/es/button'
import type { Host } from '@openmaas/api/resources/host'
import { isDatabaseKind } from '@openmaas/api/resources/source'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { StateTag } from '../../ui/StateTag.tsx'
import { JoinLine } from '../hosts/JoinLine.tsx'
import { agentsQuery } from '../hosts/queries.ts'
import { DirectoryPicker } from './DirectoryPicker.tsx'
import { Discovered } from './Discovered.tsx'
import type { Draft } from './search.ts'
import { protectMessages } from './messages/text.ts'
import { DatabaseForm } from './DatabaseForm.tsx'
import { newDatabase } from './database.ts'
import type { DatabaseProps, StepProps } from './ProtectPage.tsx'

export function WhatStep({ draft, onChange, database, onDatabase }: StepProps & DatabaseProps) {
  const text = useText(protectMessages)
  const { data: agents } = useSuspenseQuery(agentsQuery)
  const host = agents.items.find(({ id }) => id === draft.hostId)
  const { kind = 'files' } = draft
  const choose = (hostId: string): void => {
    onDatabase(undefined)
    onChange({ hostId, path: undefined, kind: undefined, name: undefined })
  }
  const take = (changed: Draft): void => {
    const chosen = changed.kind ?? 'files'
    onDatabase(isDatabaseKind(chosen) ? newDatabase(chosen) : undefined)
    onChange(changed)
  }
  return (
    <>
      <HostChoices agents={agents.items} hostId={draft.hostId} onChoose={choose} />
      {host !== undefined && host.state !== 'online' && (
        <p className="om-state-warning">{text('what.offline', { name: host.name })}</p>
      )}
      {host !== undefined && (
        <>
          <Discovered key={`found-${host.id}`} host={host} draft={draft} onChange={take} />
          {isDatabaseKind(kind) ? (
            <DatabaseForm
              key={`${host.id} ${kind}`}
              kind={kind}
              hostId={host.id}
              database={database ?? newDatabase(kind)}
              onChange={onDatabase}
            />
          ) : (
            <DirectoryPicker key={host.id} host={host} draft={draft} onChange={onChange} />
          )}
        </>
      )}
    </>
  )
}

interface HostChoicesProps {
  readonly agents: readonly Host[]
  readonly hostId: string | undefined
  readonly onChoose: (hostId: string) => void
}

function HostChoices({ agents, hostId, onChoose }: HostChoicesProps) {
  const text = useText(protectMessages)
  const may = useMay()
  const [isJoining, setJoining] = useState(agents.length === 0)
  const join = (joinedId: string): void => {
    setJoining(false)
    onChoose(joinedId)
  }
  return (
    <>
      <h2>{text('what.host')}</h2>
      <div className="om-choices" role="radiogroup" aria-label={text('what.host')}>
        {agents.map(({ id, name, state }) => (
          <button
            key={id}
            type="button"
            role="radio"
            aria-checked={id === hostId}
            className="om-choice"
            onClick={() => onChoose(id)}
            data-testid={`host-${id}`}
          >
            <strong>
              {name} {id === hostId && <CheckCircleFilled aria-hidden />}
            </strong>
            <StateTag state={state} />
          </button>
        ))}
        {may('host.enrol') && !isJoining && (
          <Button
            className="om-choice-add"
            icon={<PlusOutlined />}
            onClick={() => setJoining(true)}
            data-testid="join-inline"
          >
            {text('what.addHost')}
          </Button>
        )}
      </div>
      {agents.length === 0 && !may('host.enrol') && <p>{text('what.noHost')}</p>}
      {isJoining && may('host.enrol') && (
        <div className="om-inset">
          <JoinLine kind="agent" onJoined={join} />
        </div>
      )}
    </>
  )
}
