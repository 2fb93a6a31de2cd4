import { useState } from 'react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import Input from 'antd/es/input'
import type { Host } from '@openmaas/api/resources/host'
import { apiCall } from '../../api/queries.ts'
import { useText } from '../../i18n/text.ts'
import { LabelsInput } from '../../ui/LabelsInput.tsx'
import { ProblemView } from '../../ui/ProblemView.tsx'
import { hostsMessages } from './messages/text.ts'

/** Name and labels. Labels decide which policies hold for sources, and who may see the host. */
export function HostEdit({ host }: { readonly host: Host }) {
  const text = useText(hostsMessages)
  const queryClient = useQueryClient()
  const navigate = useNavigate({ from: '/hosts/$hostId' })
  const [name, setName] = useState(host.name)
  const [labels, setLabels] = useState<Record<string, string>>({ ...host.labels })
  const save = useMutation({
    mutationFn: () =>
      apiCall('changeHost', {
        params: { hostId: host.id },
        ifMatch: `"${host.version}"`,
        body: { name: name.trim(), labels },
      }),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: ['hosts'] })
      void navigate({ search: {} })
    },
  })
  return (
    <section className="om-panel om-form" data-testid="host-edit">
      <label>
        {text('name')}
        <Input
          value={name}
          onChange={(event) => setName(event.target.value)}
          data-testid="host-name"
        />
      </label>
      <div className="om-field">
        {text('labels')}
        <LabelsInput
          label={text('labels')}
          value={labels}
          onChange={setLabels}
          testId="host-labels"
        />
      </div>
      {save.isError && <ProblemView error={save.error} />}
      <Button
        type="primary"
        disabled={name.trim() === ''}
        loading={save.isPending}
        onClick={() => save.mutate()}
        style={{ justifySelf: 'start' }}
        data-testid="save-host"
      >
        {text('save')}
      </Button>
    </section>
  )
}
