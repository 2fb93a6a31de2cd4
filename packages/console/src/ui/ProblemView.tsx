/** A failure as the server explained it: title, detail, hint, code and the request's id. */
import Alert from 'antd/es/alert'
import Button from 'antd/es/button'
import { toShownProblem } from '../api/problems.ts'
import { useText } from '../i18n/text.ts'
import { CopyButton } from './CopyButton.tsx'
import { uiMessages } from './messages/text.ts'

interface Props {
  readonly error: unknown
  readonly onRetry?: () => void
}

export function ProblemView({ error, onRetry }: Props) {
  const text = useText(uiMessages)
  const { title, detail, hint, code, requestId, fields } = toShownProblem(error)
  const heading = title ?? text('problem.title')
  const copied = [heading, detail, hint ?? '', `code: ${code}`, `request: ${requestId ?? '-'}`]
  const body = (
    <>
      <p>{detail}</p>
      {hint !== null && <p>{hint}</p>}
      {fields.length > 0 && (
        <ul>
          {fields.map((field) => (
            <li key={field.pointer}>
              <code className="om-code">{field.pointer}</code> {field.detail}
            </li>
          ))}
        </ul>
      )}
      <p className="om-code">
        {text('problem.code')}: <a href={`/api/docs/errors#${code}`}>{code}</a>
        {requestId !== null && ` · ${text('problem.request')}: ${requestId}`}
        <CopyButton value={copied.join('\n')} label={text('problem.copy')} />
      </p>
    </>
  )
  return (
    <div role="alert" data-testid="problem" data-code={code}>
      <Alert
        type="error"
        showIcon
        title={heading}
        description={body}
        role="presentation"
        {...(onRetry !== undefined && {
          action: (
            <Button onClick={onRetry} data-testid="retry">
              {text('problem.retry')}
            </Button>
          ),
        })}
      />
    </div>
  )
}
