/** A question with a few fields in a dialog; the server's refusal stands below them. */
import type { ReactNode } from 'react'
import Modal from 'antd/es/modal'
import { ProblemView } from './ProblemView.tsx'

interface Props {
  readonly title: string
  /** Word of the button that does it. */
  readonly ok: string
  /** False while something is missing. */
  readonly isReady?: boolean
  /** Something is lost. */
  readonly isDanger?: boolean
  readonly isPending: boolean
  readonly error: unknown
  readonly onOk: () => void
  readonly onClose: () => void
  readonly children: ReactNode
}

export function FormDialog(props: Props) {
  const { title, ok, isReady = true, isDanger = false, isPending, error, children } = props
  const { onOk, onClose } = props
  return (
    <Modal
      open
      destroyOnHidden
      title={title}
      okText={ok}
      okButtonProps={{
        danger: isDanger,
        disabled: !isReady,
        loading: isPending,
        'data-testid': 'dialog-ok',
      }}
      cancelButtonProps={{ 'data-testid': 'dialog-cancel' }}
      onOk={onOk}
      onCancel={onClose}
    >
      <form
        className="om-form"
        onSubmit={(event) => {
          event.preventDefault()
          if (isReady && !isPending) onOk()
        }}
      >
        {children}
        {error !== null && error !== undefined && <ProblemView error={error} />}
        {/* Enter in a field sends the form. */}
        <input type="submit" hidden />
      </form>
    </Modal>
  )
}
