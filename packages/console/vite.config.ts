/** How the console is built, by tools/build-console.ts, and served while it is developed. */
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/** Where `vite` finds the server while somebody develops; the built console has no use for it. */
const SERVER = process.env['OPENMAAS_URL'] ?? 'https://127.0.0.1:8730'

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2022',
    // No script stands in the page itself, so that the policy of the server can forbid all of them.
    assetsInlineLimit: 0,
    // Compressed sizes are printed by tools/build-console.ts, which makes the compressed files.
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1500,
    manifest: true,
  },
  server: { proxy: { '/api': { target: SERVER, secure: false } } },
})
