/** Instead of a page that could not be loaded, inside of the shell. */
import { useRouter, type ErrorComponentProps } from '@tanstack/react-router'
import { ForbiddenPage, isDenied, isNotFound } from '../api/problems.ts'
import { useText } from '../i18n/text.ts'
import { uiMessages } from './messages/text.ts'
import { PageMissing } from './PageMissing.tsx'
import { ProblemView } from './ProblemView.tsx'

export function PageFailed({ error, reset }: ErrorComponentProps) {
  const router = useRouter()
  if (error instanceof ForbiddenPage) return <Forbidden permission={error.message} />
  if (isNotFound(error)) return <PageMissing />
  const retry = (): void => {
    reset()
    void router.invalidate()
  }
  return <ProblemView error={error} {...(!isDenied(error) && { onRetry: retry })} />
}

function Forbidden({ permission }: { readonly permission: string }) {
  const text = useText(uiMessages)
  return (
    <div className="om-center" data-testid="forbidden">
      <h1>{text('forbidden.title')}</h1>
      <p>{text('forbidden.detail', { permission })}</p>
    </div>
  )
}
