/** What the server says once and keeps nowhere: it goes only when somebody says it is kept. */
import { useState } from 'react'
import Button from 'antd/es/button'
import Checkbox from 'antd/es/checkbox'
import Modal from 'antd/es/modal'
import { CopyButton } from './CopyButton.tsx'

interface Props {
  readonly title: string
  /** What it is for, and that it is shown once. */
  readonly why: string
  readonly secret: string
  /** "I have stored it". */
  readonly kept: string
  readonly done: string
  readonly onClose: () => void
}

export function SecretOnce({ title, why, secret, kept, done, onClose }: Props) {
  const [isKept, setKept] = useState(false)
  const footer = (
    <Button type="primary" disabled={!isKept} onClick={onClose} data-testid="secret-done">
      {done}
    </Button>
  )
  return (
    <Modal
      open
      title={title}
      closable={false}
      keyboard={false}
      mask={{ closable: false }}
      footer={footer}
    >
      <div className="om-form">
        <p>{why}</p>
        <div className="om-line">
          <code className="om-code" data-testid="secret">
            {secret}
          </code>
          <CopyButton value={secret} />
        </div>
        <Checkbox
          checked={isKept}
          onChange={(event) => setKept(event.target.checked)}
          data-testid="secret-kept"
        >
          {kept}
        </Checkbox>
      </div>
    </Modal>
  )
}
