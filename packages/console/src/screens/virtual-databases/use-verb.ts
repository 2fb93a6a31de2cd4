/** A change of one virtual database: what is shown of it and of its jobs is asked for anew. */
import { useMutation, useQueryClient } from '@tanstack/react-query'

export function useVerb<Answer, Wish = void>(
  call: (wish: Wish) => Promise<Answer>,
  onDone?: (answer: Answer) => void,
) {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: call,
    onSuccess: (answer) => onDone?.(answer),
    onSettled: async () => {
      await queryClient.invalidateQueries({ queryKey: ['virtual-databases'] })
      await queryClient.invalidateQueries({ queryKey: ['jobs'] })
    },
  })
}
