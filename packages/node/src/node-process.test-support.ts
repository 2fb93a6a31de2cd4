/**
 * A node in a process of its own, as on another machine: whoever uses a disk that a node serves
 * must not be the node, for the kernel makes it wait.
 */
import { type ChildProcess, fork } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { type ErrorMessage, errorToMessage, reviveError } from '@openmaas/kernel/error-message'
import type { OrderHandlers, Params, Result } from '@openmaas/protocols/channel/orders'
import { ORDERS } from '@openmaas/protocols/channel/orders'
import type { TicketKey } from '@openmaas/protocols/channel/ticket'
import { DataServer } from './data/data-server.ts'
import { makeNodeHandlers, type NodeVerb } from './handlers.ts'
import { makeLocalPools } from './local-pools.ts'
import { MediumExports } from './medium-exports.ts'
import { Node } from './node.ts'
import { makeTicketCheck, type NodeTls } from './security.ts'

export interface NodeProcessSetup {
  readonly directory: string
  readonly tls: NodeTls
  readonly ticketKeys: readonly TicketKey[]
  readonly host: string
  /** Of data and NBD; 0 lets the system choose. */
  readonly dataPort: number
  readonly nbdPort: number
}

interface Ports {
  readonly dataPort: number
  readonly nbdPort: number
}

type Verb = NodeVerb | 'source.capture'
type Reply = { readonly id: number; readonly result?: unknown; readonly error?: ErrorMessage }

/** The test's end. */
export class NodeProcess {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  #next = 1
  ports!: Ports

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', ({ id, result, error }: Reply) => {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) waiting?.resolve(result)
      else waiting?.reject(reviveError(error))
    })
    child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the node ended'))
    })
  }

  /** @param wrapper a program in front, such as `ip netns exec name` */
  static async start(
    setup: NodeProcessSetup,
    wrapper: readonly string[] = [],
  ): Promise<NodeProcess> {
    const [program = process.execPath, ...before] = wrapper
    const execArgv = wrapper.length === 0 ? [] : [...before, process.execPath]
    const child = fork(fileURLToPath(import.meta.url), ['node'], {
      execPath: program,
      execArgv,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const started = new NodeProcess(child)
    started.ports = (await started.#ask('begin', setup)) as Ports
    return started
  }

  get pid(): number {
    return this.#child.pid!
  }

  order<V extends Verb>(verb: V, params: Params<V>): Promise<Result<V>> {
    return this.#ask(verb, params) as Promise<Result<V>>
  }

  /** At once, with nothing said to anybody. */
  async kill(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once('exit', resolve))
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await exited
  }

  #ask(verb: string, params: unknown): Promise<unknown> {
    const id = this.#next
    this.#next += 1
    const waiting = Promise.withResolvers<unknown>()
    this.#waiting.set(id, waiting)
    this.#child.send({ id, verb, params })
    return waiting.promise
  }
}

let handlers: OrderHandlers = {}

async function begin(setup: NodeProcessSetup): Promise<Ports> {
  const node = await Node.open({ directory: setup.directory })
  const tickets = makeTicketCheck(
    () => setup.ticketKeys,
    () => Date.now(),
  )
  const { tls, host } = setup
  const server = new DataServer({ node, tls, tickets })
  const dataPort = await server.listen({ host, port: setup.dataPort })
  const exports = new MediumExports({ node, tls, tickets })
  const bound = await exports.listen({ host, port: setup.nbdPort })
  await exports.restore()
  const { capture } = makeLocalPools(node)
  handlers = { ...makeNodeHandlers(node, exports), 'source.capture': capture }
  return { dataPort, nbdPort: (bound as { port: number }).port }
}

async function answer(verb: string, params: unknown): Promise<unknown> {
  if (verb === 'begin') return begin(params as NodeProcessSetup)
  const known = verb as Verb
  const handler = handlers[known] as (params: unknown, context: unknown) => Promise<unknown>
  const { signal } = new AbortController()
  const context = { signal, progress: () => undefined }
  return handler(ORDERS[known].params.parse(params), context)
}

if (process.argv[2] === 'node') {
  process.on('message', ({ id, verb, params }: { id: number; verb: string; params: unknown }) => {
    answer(verb, params).then(
      (result) => process.send!({ id, result }),
      (error: unknown) => process.send!({ id, error: errorToMessage(error) }),
    )
  })
  process.on('disconnect', () => process.exit(0))
}
