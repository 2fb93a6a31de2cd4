/** Headers that every answer carries: what a browser must not do with it. */

const COMMON = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
}

/** Data: nothing of it is ever run, framed or kept. */
const DATA = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
}

/** Written by the server itself: a style sheet of its own, no script. */
export const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

/** The console: scripts and styles of this server only; antd writes style elements. */
export const CONSOLE_POLICY =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
  "font-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; " +
  "frame-ancestors 'none'"

/** Two years, as browsers' lists ask. */
const STRICT_TRANSPORT = { 'strict-transport-security': 'max-age=63072000' }

export function securityHeaders(secure: boolean): Readonly<Record<string, string>> {
  return { ...COMMON, ...DATA, ...(secure && STRICT_TRANSPORT) }
}
