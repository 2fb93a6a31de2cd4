/** The processes of a site, each of its own and none embedded: control, node and agent. */
import type { ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readlinkSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { waitFor } from '@openmaas/testkit/wait-for'
import { type Api, freePorts, ServerProgram } from '../serve/server.test-support.ts'
import { OPENMAAS } from '../support/command-line.ts'
import { kill, listProcesses } from '../support/leftovers.ts'
import { run } from '../support/program.ts'

const ONLINE_MS = 120_000
const ENVIRONMENT = { OPENMAAS_NODE: process.execPath }

/** `openmaas agent` or `openmaas node` on this machine; its words are in a file. */
export class Role {
  readonly kind: 'agent' | 'node'
  readonly hostId: string
  readonly #command: readonly string[]
  readonly #logPath: string
  #child: ChildProcess | undefined

  private constructor(of: { kind: Role['kind']; hostId: string; command: string[]; log: string }) {
    this.kind = of.kind
    this.hostId = of.hostId
    this.#command = of.command
    this.#logPath = of.log
  }

  static async join(api: Api, root: string, kind: Role['kind']): Promise<Role> {
    const data = join(root, kind)
    mkdirSync(data)
    const { command } = await api.call('createJoinToken', { body: { labels: {}, kind } })
    const words = command.split(' ').slice(1)
    const line = [OPENMAAS, ...words, '--data', data, '--name', `soak-${kind}`]
    const hostId = (await run(line, { environment: ENVIRONMENT })).trim()
    const flags = ['--json']
    if (kind === 'node') {
      const [dataPort, nbdPort] = await freePorts(2)
      flags.push('--names', '127.0.0.1', '--data-listen', `127.0.0.1:${dataPort}`)
      flags.push('--nbd-listen', `127.0.0.1:${nbdPort}`)
    }
    const role = new Role({
      kind,
      hostId,
      command: [OPENMAAS, kind, '--data', data, ...flags],
      log: join(root, `${kind}.log`),
    })
    role.begin()
    await role.waitOnline(api)
    return role
  }

  begin(): void {
    const log = openSync(this.#logPath, 'a')
    this.#child = spawn(this.#command[0]!, this.#command.slice(1), {
      cwd: '/',
      stdio: ['ignore', log, log],
      env: { ...process.env, ...ENVIRONMENT },
    })
    closeSync(log)
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#child = undefined
    const ended = once(child, 'exit')
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await ended
  }

  /** It ended although nobody ended it. */
  get hasEnded(): boolean {
    return this.#child !== undefined && this.#child.exitCode !== null
  }

  async waitOnline(api: Api): Promise<void> {
    const isOnline = async (): Promise<boolean> =>
      (await api.call('getHost', { params: { hostId: this.hostId } })).state === 'online'
    await waitFor(`the ${this.kind} is online`, isOnline, { timeoutMs: ONLINE_MS })
  }
}

export interface Processes extends AsyncDisposable {
  readonly control: ServerProgram
  readonly node: Role
  readonly agent: Role
  readonly poolId: string
}

export async function startProcesses(root: string): Promise<Processes> {
  const flags = ['--http', '--no-pool']
  const control = await ServerProgram.start({ data: join(root, 'control'), flags })
  const node = await Role.join(control.api, root, 'node')
  const agent = await Role.join(control.api, root, 'agent')
  const bricks = [join(root, 'pool')]
  const made = await control.api.call('createPool', {
    body: { name: 'soak', nodeId: node.hostId, bricks },
  })
  return {
    control,
    node,
    agent,
    poolId: made.pool.id,
    [Symbol.asyncDispose]: async () => {
      await agent.end('SIGTERM')
      await node.end('SIGTERM')
      await control[Symbol.asyncDispose]()
    },
  }
}

/** The servers of databases that run in a directory, whatever started them. */
export function serversIn(directory: string): number[] {
  return listProcesses().filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === directory
    } catch {
      return false // It has ended.
    }
  })
}

/** @returns how many there were */
export function killServersIn(directory: string): number {
  return serversIn(directory).filter((pid) => kill(pid)).length
}
