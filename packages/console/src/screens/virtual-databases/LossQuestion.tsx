/** Before a new clone takes the place of the old one: how much is lost, said and agreed to. */
import { useState } from 'react'
import Checkbox from 'antd/es/checkbox'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { databasesMessages } from './messages/text.ts'
import { losesOf } from './loss.ts'

interface Props {
  readonly database: VirtualDatabase
  readonly isAgreed: boolean
  readonly onAgree: (isAgreed: boolean) => void
}

/** One that has nothing of its own asks nothing. */
export function useLoss(database: VirtualDatabase) {
  const [isAgreed, onAgree] = useState(losesOf(database) === null)
  return { isAgreed, onAgree }
}

export function LossQuestion({ database, isAgreed, onAgree }: Props) {
  const text = useText(databasesMessages)
  const format = useFormat()
  const loses = losesOf(database)
  if (loses === null) return null
  const since = format.exact(loses.since)
  return (
    <>
      <p className="om-state-warning" data-testid="loss">
        {loses.bytes === null
          ? text('loss.unknown', { since })
          : text('loss.bytes', { since, size: format.bytes(loses.bytes) })}
      </p>
      <Checkbox
        checked={isAgreed}
        onChange={(event) => onAgree(event.target.checked)}
        data-testid="loss-agree"
      >
        {text('loss.agree')}
      </Checkbox>
    </>
  )
}
