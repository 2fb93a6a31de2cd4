import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { assert } from '@openmaas/kernel/assert'
import { App } from './app/App.tsx'
import './app/app.css'

const root = document.getElementById('root')
assert(root !== null, 'index.html has an element for the console')
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
)
