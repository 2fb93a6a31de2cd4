/** What a preview shows of the first bytes of a file. */

/** SVG is not among them: it is a document, and shown as its text. */
const IMAGE_TYPES: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  bmp: 'image/bmp',
  ico: 'image/x-icon',
}

export type Preview =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'image'; readonly type: string }
  | { readonly kind: 'binary' }
  | { readonly kind: 'empty' }

/** @param isCut the file goes on: its last character may be torn */
export function previewOf(name: string, bytes: Uint8Array, isCut: boolean): Preview {
  if (bytes.length === 0) return { kind: 'empty' }
  const type = IMAGE_TYPES[name.slice(name.lastIndexOf('.') + 1).toLowerCase()]
  if (type !== undefined && !isCut) return { kind: 'image', type }
  if (bytes.includes(0)) return { kind: 'binary' }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: isCut })
    return { kind: 'text', text }
  } catch {
    return { kind: 'binary' }
  }
}
