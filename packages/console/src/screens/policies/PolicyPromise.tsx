/** A promise in a few lines: how old at most, what is kept, what is proved, what is locked. */
import { durationMs, type PolicySpec, type RetentionRule } from '@openmaas/api/policy'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { policiesMessages } from './messages/text.ts'
import './policies.css'

export const RULES: readonly RetentionRule[] = [
  'last',
  'hourly',
  'daily',
  'weekly',
  'monthly',
  'yearly',
]

export function PolicyPromise({ spec }: { readonly spec: PolicySpec }) {
  const text = useText(policiesMessages)
  const format = useFormat()
  const kept = RULES.filter((rule) => spec.retention[rule] > 0)
    .map((rule) => text(`keep.${rule}`, { count: spec.retention[rule] }))
    .join(text('keep.and'))
  return (
    <span className="om-promise">
      <span>{text('promise.rpo', { time: format.duration(durationMs(spec.rpo)) })}</span>
      <small className="om-quiet">{text('promise.keep', { kept })}</small>
      {spec.verify !== null && (
        <small className="om-quiet">
          {spec.verify.points === 'each'
            ? text('promise.verify.each')
            : text('promise.verify', { time: format.duration(durationMs(spec.verify.every)) })}
        </small>
      )}
      {spec.lockDays > 0 && (
        <small className="om-quiet">{text('promise.lock', { count: spec.lockDays })}</small>
      )}
    </span>
  )
}
