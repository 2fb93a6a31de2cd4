import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { ApiError } from '@openmaas/api/client'
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { ForbiddenPage } from './api/problems.ts'
import { App } from './app/App.tsx'
import './app/app.css'

/** A problem that a page shows is no fault of the console; the rest is for the browser to log. */
function reportFault(error: unknown): void {
  const isShown = error instanceof ApiError || error instanceof MaasError
  if (!isShown && !(error instanceof ForbiddenPage)) reportError(error)
}

const root = document.getElementById('root')
assert(root !== null, 'index.html has an element for the console')
createRoot(root, { onCaughtError: reportFault }).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
