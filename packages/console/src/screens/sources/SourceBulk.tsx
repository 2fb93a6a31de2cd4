/** What is done to several sources at once; each is one request, and each failure is told. */
import { useState } from 'react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import Button from 'antd/es/button'
import Select from 'antd/es/select'
import type { Source } from '@openmaas/api/resources/source'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { sourcesMessages } from './messages/text.ts'
import { policyNamesQuery } from './queries.ts'

interface Outcome {
  readonly done: number
  readonly failed: readonly { readonly name: string; readonly error: unknown }[]
}

export function SourceBulk({ selected }: { readonly selected: readonly Source[] }) {
  const text = useText(sourcesMessages)
  const may = useMay()
  const queryClient = useQueryClient()
  const policies = useQuery({ ...policyNamesQuery, enabled: may('policy.read') })
  const [policyId, setPolicyId] = useState<string | null>(null)
  const perform = useMutation({
    mutationFn: (verb: (source: Source) => Promise<unknown>) => forEach(selected, verb),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['sources'] }),
  })
  const paramsOf = ({ id }: Source) => ({ params: { sourceId: id } })
  const run = (source: Source) => apiCall('protectSource', { ...paramsOf(source), body: {} })
  const assign = (source: Source) =>
    apiCall('changeSource', {
      ...paramsOf(source),
      ifMatch: `"${source.version}"`,
      body: { policyId },
    })
  return (
    <>
      <span>{text('bulk.selected', { count: selected.length })}</span>
      {may('source.protect') && (
        <Button onClick={() => perform.mutate(run)} data-testid="bulk-run">
          {text('run')}
        </Button>
      )}
      {may('source.write') && (
        <>
          <Button
            onClick={() => perform.mutate((one) => apiCall('pauseSource', paramsOf(one)))}
            data-testid="bulk-pause"
          >
            {text('pause')}
          </Button>
          <Button
            onClick={() => perform.mutate((one) => apiCall('resumeSource', paramsOf(one)))}
            data-testid="bulk-resume"
          >
            {text('resume')}
          </Button>
          <Select
            aria-label={text('bulk.policy')}
            placeholder={text('bulk.policy')}
            value={policyId}
            style={{ minWidth: 160 }}
            options={policies.data?.items.map(({ id, name }) => ({ value: id, label: name })) ?? []}
            onChange={setPolicyId}
            data-testid="bulk-policy"
          />
          <Button
            disabled={policyId === null}
            onClick={() => perform.mutate(assign)}
            data-testid="bulk-assign"
          >
            {text('bulk.assign')}
          </Button>
        </>
      )}
      <span aria-live="polite">{perform.isPending && text('bulk.working')}</span>
      {perform.data !== undefined && <OutcomeView outcome={perform.data} />}
    </>
  )
}

function OutcomeView({ outcome }: { readonly outcome: Outcome }) {
  const text = useText(sourcesMessages)
  return (
    <>
      <span role="status" data-testid="bulk-outcome">
        {text('bulk.done', { count: outcome.done })}
      </span>
      {outcome.failed.map(({ name, error }) => (
        <div key={name}>
          <strong>{name}</strong>
          <ProblemView error={error} />
        </div>
      ))}
    </>
  )
}

/** One after the other: a page of them at once would be refused by the server's rate limit. */
async function forEach(
  sources: readonly Source[],
  verb: (source: Source) => Promise<unknown>,
): Promise<Outcome> {
  const failed: { name: string; error: unknown }[] = []
  for (const source of sources) {
    try {
      await verb(source)
    } catch (error) {
      failed.push({ name: source.name, error })
    }
  }
  return { done: sources.length - failed.length, failed }
}
