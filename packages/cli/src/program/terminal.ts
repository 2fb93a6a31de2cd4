/** Questions to the person at the terminal. They go to stderr: stdout may be a pipe. */
import process from 'node:process'
import { isatty } from 'node:tty'
import { MaasError } from '@openmaas/kernel/errors'
import type { Site } from './site.ts'

const STDIN = 0
const STDERR = 2
/** Nobody types more than this. */
const ANSWER_LENGTH_MAX = 4096

const ENTER = /[\r\n]/
const CONTROL_C = '\u0003'
const CONTROL_D = '\u0004'
const BACKSPACE = /[\b\u007F]/

/** Typed or pasted ahead of the question: belongs to the next one. */
let typedAhead = ''

/** True when there is somebody to ask. */
export function canAsk(): boolean {
  return isatty(STDIN) && isatty(STDERR)
}

/**
 * Reads a line; nothing of it is shown when it is a secret.
 *
 * @throws MaasError CANCELLED at Ctrl-C or Ctrl-D
 */
export async function ask(
  { out }: Pick<Site, 'out'>,
  question: string,
  options: { secret: boolean },
): Promise<string> {
  out.clearProgress()
  out.flush()
  const write = (text: string): void => out.options.writeError(Buffer.from(text))
  write(question)
  const { stdin } = process
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  try {
    const line = new LineEditor(options.secret ? () => undefined : write)
    let rest = line.type(typedAhead)
    if (rest === undefined) {
      for await (const typed of stdin.iterator({ destroyOnReturn: false })) {
        rest = line.type(String(typed))
        if (rest !== undefined) break
      }
    }
    if (rest === undefined) throw new MaasError('CANCELLED', 'the terminal was closed')
    typedAhead = rest
    return line.text
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
    write('\n')
  }
}

/** One line being typed. */
class LineEditor {
  text = ''
  readonly #echo: (shown: string) => void

  constructor(echo: (shown: string) => void) {
    this.#echo = echo
  }

  /** @returns what was typed behind the end of the line; undefined while it has not ended */
  type(keys: string): string | undefined {
    const all = Array.from(keys)
    for (const [index, key] of all.entries()) {
      if (ENTER.test(key)) return all.slice(index + 1).join('')
      if (key === CONTROL_C || key === CONTROL_D) throw new MaasError('CANCELLED', 'interrupted')
      if (BACKSPACE.test(key)) {
        if (this.text !== '') this.#echo('\b \b')
        this.text = Array.from(this.text).slice(0, -1).join('')
      } else if (this.text.length < ANSWER_LENGTH_MAX) {
        this.text += key
        this.#echo(key)
      }
    }
    return undefined
  }
}

/**
 * Asks for a yes before something that cannot be undone.
 *
 * @throws MaasError USAGE when there is nobody to ask: a script says --yes
 * @throws MaasError CANCELLED when the answer is no
 */
export async function confirm(site: Site, question: string): Promise<void> {
  if (!canAsk() || site.out.json) {
    throw new MaasError('USAGE', site.text('ask.yes'), { option: 'yes' })
  }
  const answer = await ask(site, `${question} ${site.text('ask.choices')} `, { secret: false })
  if (!/^(y|yes|是|好)$/i.test(answer.trim())) {
    throw new MaasError('CANCELLED', site.text('ask.no'))
  }
}
