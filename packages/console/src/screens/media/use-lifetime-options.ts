import { useText } from '../../i18n/text.ts'
import { lifetimeParts, LIFETIMES_SECONDS } from './lifetimes.ts'
import { mediaMessages } from './messages/text.ts'

export function useLifetimeOptions(): { value: number; label: string }[] {
  const text = useText(mediaMessages)
  return LIFETIMES_SECONDS.map((value) => {
    const { unit, count } = lifetimeParts(value)
    return { value, label: text(unit, { count }) }
  })
}
