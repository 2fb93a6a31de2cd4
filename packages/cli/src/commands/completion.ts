/** `openmaas completion <shell>`: scripts made from the command tree. */
import { MaasError } from '@openmaas/kernel/errors'
import { bashCompletion } from '../completion/bash.ts'
import { fishCompletion } from '../completion/fish.ts'
import { powershellCompletion } from '../completion/powershell.ts'
import { zshCompletion } from '../completion/zsh.ts'
import type { Input } from '../program/input.ts'
import type { Site } from '../program/site.ts'
import type { Text } from '../messages/text.ts'

const SHELLS: Readonly<Record<string, (text: Text) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
  powershell: powershellCompletion,
}

export async function run({ positionals }: Input, { out, text }: Site): Promise<void> {
  const shell = positionals[0]!
  const make = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined
  if (make === undefined) {
    const names = Object.keys(SHELLS).join(', ')
    throw new MaasError('USAGE', `"${shell}" is none of: ${names}`, { shell })
  }
  const script = make(text)
  if (out.json) out.value({ shell, script })
  else out.line(script)
}
