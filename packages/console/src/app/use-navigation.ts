import { useIsLimited, useMay } from '../api/session.ts'
import { NAVIGATION, type NavigationEntry } from './navigation.ts'

/** The entries that somebody sees, in order. */
export function useNavigation(): NavigationEntry[] {
  const may = useMay()
  const isLimited = useIsLimited()
  return NAVIGATION.filter(
    ({ permission, ownToo }) =>
      (permission === undefined || may(permission)) && (!isLimited || ownToo === true),
  )
}
