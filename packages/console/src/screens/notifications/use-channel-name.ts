import { useCallback } from 'react'
import { useQuery } from '@tanstack/react-query'
import { channelsQuery } from './queries.ts'

/** One that is gone keeps its id. */
export function useChannelName(): (channelId: string) => string {
  const { data } = useQuery(channelsQuery)
  return useCallback(
    (channelId) => data?.items.find(({ id }) => id === channelId)?.name ?? channelId,
    [data],
  )
}
