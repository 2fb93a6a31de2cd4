/** `openmaas agent` (or `node`) in a network namespace of its own, joined by the line that the server shows. */
import { execFileSync } from 'node:child_process'
import process from 'node:process'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { Namespace } from '../hosts/namespaces.test-support.ts'
import { OPENMAAS } from '../support/command-line.ts'
import { run, start } from '../support/program.ts'
import type { Running } from '../support/program.ts'
import type { Api } from './server.test-support.ts'

export interface AgentOptions {
  readonly data: string
  readonly namespace: Namespace
  readonly labels?: Readonly<Record<string, string>>
  readonly kind?: 'agent' | 'node'
  /** Of the role, at every start. */
  readonly flags?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

export class AgentProgram implements AsyncDisposable {
  readonly options: AgentOptions
  readonly hostId: string
  #running: Running | undefined

  private constructor(options: AgentOptions, hostId: string) {
    this.options = options
    this.hostId = hostId
  }

  static async join(api: Api, options: AgentOptions): Promise<AgentProgram> {
    const { labels = {}, namespace, data, kind = 'agent' } = options
    const { command } = await api.call('createJoinToken', { body: { labels, kind } })
    // The line as a person would paste it, in a namespace and with a place of its own.
    const words = command.split(' ').slice(1)
    const line = [...words, '--data', data, '--name', namespace.name]
    const hostId = await run([...inside(options), OPENMAAS, ...line], environmentOf(options))
    const agent = new AgentProgram(options, hostId.trim())
    agent.begin()
    return agent
  }

  get pid(): number {
    return this.#running!.child.pid!
  }

  begin(): void {
    const { kind = 'agent', data, flags = [] } = this.options
    const words = [OPENMAAS, kind, '--data', data, '--json', ...flags]
    this.#running = start([...inside(this.options), ...words], environmentOf(this.options))
  }

  async waitOnline(api: Api): Promise<void> {
    const params = { hostId: this.hostId }
    await waitFor(`${this.hostId} is online`, async () => {
      return (await api.call('getHost', { params })).state === 'online'
    })
  }

  async kill(): Promise<void> {
    this.#running?.child.kill('SIGKILL')
    await this.#running?.ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#running?.child.kill('SIGTERM')
    await this.#running?.ended
  }
}

function environmentOf({ environment }: AgentOptions) {
  return { environment: { OPENMAAS_NODE: process.execPath, ...environment } }
}

/** Not `ip netns exec`: mounts are to be seen by the test. */
function inside({ namespace }: AgentOptions): string[] {
  return ['nsenter', `--net=/run/netns/${namespace.name}`]
}

/** Every namespace reaches the server by the address that the first one has for it. */
export function shareServerAddress(namespaces: readonly Namespace[]): string {
  const [first, ...others] = namespaces
  for (const { name, server } of others) {
    execFileSync('ip', ['-n', name, 'route', 'add', first!.server, 'via', server])
  }
  return first!.server
}
