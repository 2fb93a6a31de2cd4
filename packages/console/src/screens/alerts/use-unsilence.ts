import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { Alert } from '@openmaas/api/resources/alert'
import { apiCall } from '../../api/queries.ts'

/** Of all alerts of a cause; when one is refused, the others are done. */
export function useUnsilence() {
  const queryClient = useQueryClient()
  return useMutation({
    mutationFn: async (alerts: readonly Alert[]) => {
      for (const { id } of alerts) await apiCall('unsilenceAlert', { params: { alertId: id } })
    },
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['alerts'] }),
  })
}
