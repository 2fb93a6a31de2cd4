import { useEffect, useState } from 'react'
import { CheckOutlined, CopyOutlined } from '@ant-design/icons'
import Button from 'antd/es/button'
import { useText } from '../i18n/text.ts'
import { uiMessages } from './messages/text.ts'

const SHOWN_MS = 2000

interface Props {
  readonly value: string
  /** What is copied, for those who hear it. */
  readonly label?: string
}

export function CopyButton({ value, label }: Props) {
  const text = useText(uiMessages)
  const [isCopied, setCopied] = useState(false)
  useEffect(() => {
    if (!isCopied) return
    const timer = setTimeout(() => setCopied(false), SHOWN_MS)
    return () => clearTimeout(timer)
  }, [isCopied])
  const name = isCopied ? text('copied') : (label ?? text('copy'))
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(value)
    setCopied(true)
  }
  return (
    <Button
      type="text"
      size="small"
      icon={isCopied ? <CheckOutlined /> : <CopyOutlined />}
      aria-label={name}
      title={name}
      onClick={() => void copy()}
      data-testid="copy"
    />
  )
}
