/** Completion for zsh: bash's script through zsh's own adapter, so that there is one truth. */
import { bashCompletion } from './bash.ts'

export function zshCompletion(): string {
  return `#compdef openmaas
autoload -U +X bashcompinit && bashcompinit
${bashCompletion()}`
}
