/** Of one that stands where production stood: the way back, and what is left to do after it. */
import { useState } from 'react'
import { Link } from '@tanstack/react-router'
import Button from 'antd/es/button'
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'
import { useMay } from '../../../api/session.ts'
import { useText } from '../../../i18n/text.ts'
import { PromoteDialog } from '../PromoteDialog.tsx'
import { canDo } from '../states.ts'
import { recoverMessages } from './messages/text.ts'

export function StandsForProduction({ database }: { readonly database: VirtualDatabase }) {
  const { mode, endedAt, directory } = database
  if (mode !== 'production' || endedAt !== null) return null
  return (
    <section className="om-panel" data-testid="stands-for-production">
      {directory === null ? <OnClone database={database} /> : <OnDisk directory={directory} />}
    </section>
  )
}

function OnClone({ database }: { readonly database: VirtualDatabase }) {
  const text = useText(recoverMessages)
  const may = useMay()
  const [isAsking, setAsking] = useState(false)
  const can = canDo('promote', database, may)
  return (
    <>
      <h2>{text('stands.title')}</h2>
      <p>
        {text('stands.text')} {text('stands.how')}
      </p>
      {can ? (
        <Button type="primary" onClick={() => setAsking(true)} data-testid="way-back">
          {text('stands.back')}
        </Button>
      ) : (
        <p className="om-quiet">{text('stands.wait')}</p>
      )}
      {isAsking && <PromoteDialog database={database} onClose={() => setAsking(false)} />}
    </>
  )
}

function OnDisk({ directory }: { readonly directory: string }) {
  const text = useText(recoverMessages)
  const may = useMay()
  return (
    <>
      <h2>{text('back.title')}</h2>
      <p>{text('back.text', { directory })}</p>
      {may('source.write') && (
        <Link to="/protect" data-testid="back-protect">
          <Button tabIndex={-1}>{text('back.protect')}</Button>
        </Link>
      )}
    </>
  )
}
