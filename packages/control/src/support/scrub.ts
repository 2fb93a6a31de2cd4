/**
 * The last look at a text that leaves the house. What is found here should not have been there:
 * the places that make such texts leave secrets out by themselves.
 */

const SECRET_NAMES = '(?:[a-z]*password|passphrase|secret|token|credential|(?:private|master)Key)'

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // Tokens of ours: of the API, of joining, of webhooks.
  [/\b(msk|mjt|whsec)_[\w+/=-]{16,}/g, '$1_(secret)'],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g, '(secret)'],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{8,}/gi, '$1 (secret)'],
  // A password in an address.
  [/([a-z][a-z0-9+.-]*:\/\/[^\s/:@"]*):[^\s/@"]+@/gi, '$1:(secret)@'],
  // Robots of chats carry their secret in the query.
  [/([?&](?:key|token|access_token|secret|sig|signature)=)[^\s&"\\]+/gi, '$1(secret)'],
  // A pair in JSON, also in JSON within JSON.
  [new RegExp(String.raw`(\\*"${SECRET_NAMES}\\*"\s*:\s*\\*")[^"\\]+`, 'gi'), '$1(secret)'],
]

export function scrub(text: string): string {
  let clean = text
  for (const [pattern, replacement] of PATTERNS) clean = clean.replace(pattern, replacement)
  return clean
}
