/** On which host, and what of it. A host that is missing joins here, while one waits. */
import { useState } from 'react'
import { CheckCircleFilled, PlusOutlined } from '@ant-design/icons'
import { useSuspenseQuery } from '@tanstack/react-query'
import Button from 'antd/es/button'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { StateTag } from '../../ui/StateTag.tsx'
import { JoinLine } from '../hosts/JoinLine.tsx'
import { agentsQuery } from '../hosts/queries.ts'
import { DirectoryPicker } from './DirectoryPicker.tsx'
import { Discovered } from './Discovered.tsx'
import { protectMessages } from './messages/text.ts'
import type { StepProps } from './ProtectPage.tsx'

export function WhatStep({ draft, onChange }: StepProps) {
  const text = useText(protectMessages)
  const may = useMay()
  const { data: agents } = useSuspenseQuery(agentsQuery)
  const [isJoining, setJoining] = useState(agents.items.length === 0)
  const host = agents.items.find(({ id }) => id === draft.hostId)
  const choose = (hostId: string): void =>
    onChange({ hostId, path: undefined, kind: undefined, name: undefined })
  return (
    <>
      <h2>{text('what.host')}</h2>
      <div className="om-choices" role="radiogroup" aria-label={text('what.host')}>
        {agents.items.map(({ id, name, state }) => (
          <button
            key={id}
            type="button"
            role="radio"
            aria-checked={id === draft.hostId}
            className="om-choice"
            onClick={() => choose(id)}
            data-testid={`host-${id}`}
          >
            <strong>
              {name} {id === draft.hostId && <CheckCircleFilled aria-hidden />}
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
      {agents.items.length === 0 && !may('host.enrol') && <p>{text('what.noHost')}</p>}
      {isJoining && may('host.enrol') && (
        <div className="om-inset">
          <JoinLine
            kind="agent"
            onJoined={(hostId) => {
              setJoining(false)
              choose(hostId)
            }}
          />
        </div>
      )}
      {host !== undefined && host.state !== 'online' && (
        <p className="om-state-warning">{text('what.offline', { name: host.name })}</p>
      )}
      {host !== undefined && (
        <>
          <Discovered key={`found-${host.id}`} host={host} draft={draft} onChange={onChange} />
          <DirectoryPicker
            key={`picker-${host.id}`}
            host={host}
            draft={draft}
            onChange={onChange}
          />
        </>
      )}
    </>
  )
}
