import { useQuery } from '@tanstack/react-query'
import { useText } from '../../i18n/text.ts'
import { Page } from '../../ui/Page.tsx'
import { policiesMessages } from './messages/text.ts'
import { NEW_POLICY, toForm } from './policy-form.ts'
import { PolicyEditor } from './PolicyEditor.tsx'
import { policyQuery } from './queries.ts'
import { newPolicyRoute } from './routes.ts'

export function NewPolicyPage() {
  const text = useText(policiesMessages)
  const { from } = newPolicyRoute.useSearch()
  const copied = useQuery({ ...policyQuery(from ?? ''), enabled: from !== undefined })
  const start = copied.data === undefined ? NEW_POLICY : { ...toForm(copied.data), name: '' }
  return (
    <Page
      title={text('new')}
      crumbs={[{ label: text('title'), to: '/policies' }]}
      cli="openmaas policy add"
      api="POST /api/v1/policies"
    >
      <PolicyEditor key={copied.data?.id} policy={null} start={start} />
    </Page>
  )
}
