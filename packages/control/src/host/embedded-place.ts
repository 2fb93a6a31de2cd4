/** Where hosts reach a node that is embedded, and by which certificate they know it. */
import type { NodePlace } from '../job/kinds/ticket-targets.ts'
import type { CertificateAuthority, ServerCredentials } from './ca.ts'

export interface EmbeddedNode extends NodePlace {
  fingerprint: string
  renew?(credentials: ServerCredentials): void
}

/**
 * The server's certificate is made anew in its last month, and the node's ports show it. Renewed
 * here, where it is named, they show the one that the ticket says, whoever looked first.
 */
export async function placeOfEmbedded(
  ca: Pick<CertificateAuthority, 'serverCredentials'>,
  node: EmbeddedNode,
): Promise<NodePlace> {
  const credentials = await ca.serverCredentials()
  if (credentials.fingerprint !== node.fingerprint) {
    node.renew?.(credentials)
    node.fingerprint = credentials.fingerprint
  }
  const { dataAddress, nbdAddress, fingerprint } = node
  return { dataAddress, nbdAddress, fingerprint }
}
