/** For a data consumer: what is theirs in one line, and what their role limits. */
import { useQuery } from '@tanstack/react-query'
import { apiQuery } from '../../api/queries.ts'
import { useFormat } from '../../format/use-format.ts'
import { useText } from '../../i18n/text.ts'
import { Time } from '../../ui/Time.tsx'
import { databasesMessages } from './messages/text.ts'
import { totalsOf } from './totals.ts'

/** Nobody looks after more. */
const OWN_MAX = 1000
export const ownDatabasesQuery = apiQuery('listVirtualDatabases', {
  query: { 'filter[active]': 'true', limit: OWN_MAX },
})

export function SelfService() {
  const text = useText(databasesMessages)
  const format = useFormat()
  const { data } = useQuery(ownDatabasesQuery)
  if (data === undefined) return null
  const { count, quotaBytes, nextEndAt } = totalsOf(data.items)
  return (
    <section className="om-panel om-own" data-testid="self-service">
      <h2>{text('mine.title')}</h2>
      <p>
        <strong>{text('mine.count', { count })}</strong>
        {quotaBytes > 0 && <> · {text('mine.quota', { size: format.bytes(quotaBytes) })}</>}
        {nextEndAt !== null && (
          <>
            {' '}
            · {text('mine.next')} <Time at={nextEndAt} />
          </>
        )}
      </p>
      <p className="om-quiet">{text('mine.limits')}</p>
    </section>
  )
}
