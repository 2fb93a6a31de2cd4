import { useMutation, useQueryClient } from '@tanstack/react-query'

interface Calls<Row> {
  readonly toggle: (row: Row) => Promise<unknown>
  readonly remove: (row: Row) => Promise<unknown>
}

/** What is done to a channel or a rule in its row; the list is asked for again. */
export function useRowVerbs<Row>(calls: Calls<Row>) {
  const queryClient = useQueryClient()
  const onSettled = (): Promise<void> => queryClient.invalidateQueries({ queryKey: ['alerts'] })
  const toggle = useMutation({ mutationFn: calls.toggle, onSettled })
  const remove = useMutation({ mutationFn: calls.remove, onSettled })
  return {
    toggle: (row: Row) => toggle.mutate(row),
    remove: (row: Row) => remove.mutate(row),
    failure: toggle.error ?? remove.error,
  }
}
