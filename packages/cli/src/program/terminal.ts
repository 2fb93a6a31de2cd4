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
    let answer = ''
    for await (const typed of stdin.iterator({ destroyOnReturn: false }) as AsyncIterable<string>) {
      for (const key of typed) {
        if (ENTER.test(key)) return answer
        if (key === CONTROL_C || key === CONTROL_D) throw new MaasError('CANCELLED', 'interrupted')
        if (BACKSPACE.test(key)) {
          if (!options.secret && answer !== '') write('\b \b')
          answer = [...answer].slice(0, -1).join('')
        } else if (answer.length < ANSWER_LENGTH_MAX) {
          answer += key
          if (!options.secret) write(key)
        }
      }
    }
    throw new MaasError('CANCELLED', 'the terminal was closed')
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
    write('\n')
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
    throw new MaasError('USAGE', 'this needs a yes: look at the preview, then give --yes', {
      option: 'yes',
    })
  }
  const answer = await ask(site, `${question} ${site.text('ask.choices')} `, { secret: false })
  if (!/^(y|yes|是|好)$/i.test(answer.trim())) {
    throw new MaasError('CANCELLED', 'nothing was changed')
  }
}
