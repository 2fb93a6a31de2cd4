import { useText } from '../../../i18n/text.ts'
import { useLifetimeOptions } from '../../media/use-lifetime-options.ts'
import { newDatabaseMessages } from './messages/text.ts'

/** A choice cannot be null: no lifetime lasts no time. */
export const FOR_GOOD = 0

/** @param isLimited a data consumer keeps nothing for good */
export function useLifetimes(isLimited: boolean): { value: number; label: string }[] {
  const text = useText(newDatabaseMessages)
  const options = useLifetimeOptions()
  return isLimited ? options : [...options, { value: FOR_GOOD, label: text('lifetime.never') }]
}
