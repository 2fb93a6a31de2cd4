import { useState } from 'react'
import { useQueryClient, useSuspenseQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import Button from 'antd/es/button'
import type { Policy } from '@openmaas/api/resources/policy'
import { apiCall } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'
import { useText } from '../../i18n/text.ts'
import { DestructiveDialog, type Plan } from '../../ui/DestructiveDialog.tsx'
import { Page } from '../../ui/Page.tsx'
import { StateTag } from '../../ui/StateTag.tsx'
import { policiesMessages } from './messages/text.ts'
import { toForm } from './policy-form.ts'
import { PolicyEditor } from './PolicyEditor.tsx'
import { policyQuery } from './queries.ts'
import { policyRoute } from './routes.ts'

export function PolicyPage() {
  const text = useText(policiesMessages)
  const { policyId } = policyRoute.useParams()
  const { data: policy } = useSuspenseQuery(policyQuery(policyId))
  return (
    <Page
      title={policy.name}
      mark={<StateTag state={policy.enabled ? 'active' : 'disabled'} />}
      crumbs={[{ label: text('title'), to: '/policies' }]}
      actions={<Actions policy={policy} />}
      cli={`openmaas policy show ${policy.name}`}
      api={`GET /api/v1/policies/${policyId}`}
    >
      {/* What somebody else saved meanwhile is begun with anew. */}
      <PolicyEditor key={policy.version} policy={policy} start={toForm(policy)} />
    </Page>
  )
}

function Actions({ policy }: { readonly policy: Policy }) {
  const text = useText(policiesMessages)
  const may = useMay()
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const [isRemoving, setRemoving] = useState(false)
  const params = { policyId: policy.id }
  return (
    <>
      <Link to="/sources" search={{ policyId: policy.id }}>
        {text('sources', { count: policy.sourceCount ?? 0 })}
      </Link>
      {may('policy.write') && (
        <>
          <Link to="/policies/new" search={{ from: policy.id }}>
            <Button tabIndex={-1} data-testid="copy-policy">
              {text('copy')}
            </Button>
          </Link>
          <Button danger onClick={() => setRemoving(true)} data-testid="remove-policy">
            {text('remove')}
          </Button>
        </>
      )}
      {isRemoving && (
        <DestructiveDialog
          title={text('remove')}
          name={policy.name}
          plan={(body) => apiCall('deletePolicy', { params, body, dryRun: true }) as Promise<Plan>}
          perform={async (body) => {
            await apiCall('deletePolicy', { params, body })
            void navigate({ to: '/policies', search: {} })
            await queryClient.invalidateQueries({ queryKey: ['policies', 'listPolicies'] })
          }}
          onClose={() => setRemoving(false)}
        />
      )}
    </>
  )
}
