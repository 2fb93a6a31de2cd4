/** Lines for a test job that needs a database like this one. */
import { useState } from 'react'
import Segmented from 'antd/es/segmented'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { useText } from '../../i18n/text.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { useMediumNames } from '../media/use-medium-names.ts'
import { databasesMessages } from './messages/text.ts'
import { type Snippet, SNIPPETS, snippetOf } from './snippets.ts'

export function ForTests({ database }: { readonly database: VirtualDatabase }) {
  const text = useText(databasesMessages)
  const names = useMediumNames()
  const [kind, setKind] = useState<Snippet>('github')
  const { sourceId, hostId, quotaBytes } = database
  const snippet = snippetOf(kind, {
    server: location.origin,
    sourceId,
    sourceName: names.source(sourceId),
    hostId,
    hostName: names.host(hostId),
    quotaBytes,
  })
  return (
    <section className="om-panel" data-testid="for-tests">
      <h2>{text('tests.title')}</h2>
      <p>{text('tests.text')}</p>
      <div className="om-form">
        <Segmented<Snippet>
          className="om-snippet-kinds"
          aria-label={text('tests.title')}
          value={kind}
          options={SNIPPETS.map((value) => ({ value, label: text(`tests.${value}`) }))}
          onChange={setKind}
          data-testid="snippet-kind"
        />
        <div className="om-line">
          <pre className="om-code" tabIndex={0} data-testid="snippet">
            {snippet}
          </pre>
          <CopyButton value={snippet} label={text('tests.copy')} />
        </div>
      </div>
    </section>
  )
}
