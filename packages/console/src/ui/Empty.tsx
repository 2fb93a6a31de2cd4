import type { ReactNode } from 'react'

interface Props {
  readonly message: string
  /** The next step. */
  readonly action?: ReactNode
}

export function Empty({ message, action }: Props) {
  return (
    <div className="om-center" data-testid="empty">
      <p>{message}</p>
      {action}
    </div>
  )
}
