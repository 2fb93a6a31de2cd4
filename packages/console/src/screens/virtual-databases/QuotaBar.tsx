import { useFormat } from '../../format/use-format.ts'

interface Props {
  readonly quotaBytes: number
  /** Null: not measured; then only the limit is said. */
  readonly writtenBytes: number | null
}

export function QuotaBar({ quotaBytes, writtenBytes }: Props) {
  const format = useFormat()
  if (writtenBytes === null) return <>{format.bytes(quotaBytes)}</>
  const label = `${format.bytes(writtenBytes)} / ${format.bytes(quotaBytes)}`
  return (
    <span className="om-quota">
      <meter
        min={0}
        max={quotaBytes}
        high={quotaBytes * 0.8}
        value={writtenBytes}
        aria-label={label}
      />
      {label}
    </span>
  )
}
