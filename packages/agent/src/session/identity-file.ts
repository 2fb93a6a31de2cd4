/** Where an agent, or a node, keeps who it is: apart, for those who need no more than the place. */
import { join } from 'node:path'

export function identityFileOf(directory: string): string {
  return join(directory, 'identity.json')
}
