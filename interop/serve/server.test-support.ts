/** `openmaas serve` as a program, and the API as its first administrator sees it. */
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { ApiClient } from '@openmaas/api/client'
import type { Answer, CallOptions } from '@openmaas/api/client'
import type { Job } from '@openmaas/api/resources/job'
import type { RouteName } from '@openmaas/api/routes/routes'
import { waitFor } from '@openmaas/testkit/wait-for'
import { errorOf, OPENMAAS } from '../support/command-line.ts'
import type { CliError } from '../support/command-line.ts'
import { describe, start } from '../support/program.ts'
import type { Outcome, Running } from '../support/program.ts'

export interface Ready {
  readonly url: string
  readonly fingerprint: string
  readonly login?: { readonly name: string; readonly password: string }
  readonly pool?: { readonly path: string; readonly passphrase: string }
}

export interface ServerOptions {
  readonly data: string
  readonly flags?: readonly string[]
  /** Where it listens; loopback by default. */
  readonly address?: string
  /** Of the API, where it is another. */
  readonly apiAddress?: string
  /** Before the command: `ip netns exec name`. */
  readonly wrapper?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

/** Ports that were free a moment ago, the same at every start. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  for (const server of servers) server.close()
  return ports
}

/** Of a start, and of a job: several programs share a core. */
const READY_MAX_MS = 120_000

export class ServerProgram implements AsyncDisposable {
  readonly options: ServerOptions
  readonly #flags: readonly string[]
  readonly #environment: Readonly<Record<string, string>>
  #running: Running | undefined
  #ready: Ready | undefined
  /** Of the first start. */
  first: Ready | undefined
  api!: Api

  private constructor(options: ServerOptions, ports: readonly number[]) {
    this.options = options
    const { address = '127.0.0.1', apiAddress = address } = options
    const names = ['listen', 'channel-listen', 'data-listen', 'nbd-listen']
    const places = names.flatMap((name, i) => [
      `--${name}`,
      `${i === 0 ? apiAddress : address}:${ports[i]}`,
    ])
    this.#flags = ['--data', options.data, ...places, ...(options.flags ?? [])]
    this.#environment = {
      OPENMAAS_NODE: process.execPath,
      ...options.environment,
    }
  }

  static async make(options: ServerOptions): Promise<ServerProgram> {
    return new ServerProgram(options, await freePorts(4))
  }

  /** Started, logged in, password changed, with a token of the administrator. */
  static async start(options: ServerOptions): Promise<ServerProgram> {
    const program = await ServerProgram.make(options)
    await program.begin()
    try {
      await program.logIn()
      return program
    } catch (error) {
      await program.stop()
      throw error
    }
  }

  get ready(): Ready {
    return this.#ready!
  }

  get pid(): number {
    return this.#running!.child.pid!
  }

  get command(): string[] {
    return [...(this.options.wrapper ?? []), OPENMAAS, 'serve', '--json', ...this.#flags]
  }

  async begin(): Promise<Ready> {
    const running = start(this.command, { environment: this.#environment })
    this.#running = running
    let outcome: Outcome | undefined
    void running.ended.then((ended) => (outcome = ended))
    const isReady = () => {
      if (outcome !== undefined) throw new ServeFailure(outcome)
      return running.output().includes('\n') && running.output().split('\n')[0]
    }
    const options = { timeoutMs: READY_MAX_MS }
    const line = await waitFor('the server is ready', isReady, options).catch((error: unknown) => {
      throw error instanceof Error && error.cause instanceof ServeFailure ? error.cause : error
    })
    this.#ready = JSON.parse(line) as Ready
    this.first ??= this.#ready
    return this.#ready
  }

  /** Starts and expects it to end by itself. */
  async refusal(): Promise<CliError> {
    const outcome = await start(this.command, { environment: this.#environment }).ended
    const error = errorOf(outcome)
    if (error === undefined) throw new Error(describe(outcome))
    return error
  }

  async logIn(): Promise<void> {
    const { name, password } = this.first!.login!
    const changed = `${password}-changed`
    const session = new Session(this.ready.url)
    await session.post('/api/v1/login', { name, password })
    await session.post('/api/v1/me/password', { current: password, next: changed })
    await session.post('/api/v1/login', { name, password: changed })
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString()
    const made = await session.post('/api/v1/me/tokens', { name: 'test', expiresAt })
    this.api = new Api(this.ready.url, (made as { secret: string }).secret)
  }

  async kill(): Promise<void> {
    this.#running!.child.kill('SIGKILL')
    await this.#running!.ended
  }

  /** @returns how it ended */
  async stop(): Promise<Outcome> {
    this.#running!.child.kill('SIGTERM')
    return this.#running!.ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#running === undefined) return
    await this.stop()
  }
}

class ServeFailure extends Error {
  constructor(outcome: Outcome) {
    super(`openmaas serve ${describe(outcome)}`)
  }
}

/** Only for what a token cannot do: the first login. */
class Session {
  readonly #url: string
  #cookie = ''
  #csrf = ''

  constructor(url: string) {
    this.#url = url
  }

  async post(path: string, body: object): Promise<unknown> {
    const response = await fetch(this.#url + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(this.#cookie !== '' && { cookie: this.#cookie }),
        ...(this.#csrf !== '' && { 'x-csrf-token': this.#csrf }),
      },
      body: JSON.stringify(body),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
    const cookies = response.headers.getSetCookie()
    if (cookies.length > 0) this.#cookie = cookies.map((each) => each.split(';')[0]).join('; ')
    const answer = text === '' ? {} : (JSON.parse(text) as { csrfToken?: string })
    if (answer.csrfToken !== undefined) this.#csrf = answer.csrfToken
    return answer
  }
}

/** The typed client, and waiting for jobs. */
export class Api {
  readonly client: ApiClient
  readonly token: string

  constructor(baseUrl: string, token: string) {
    this.token = token
    this.client = new ApiClient({ baseUrl, token })
  }

  /** @returns the body */
  async call<N extends RouteName>(name: N, options?: CallOptions<N>): Promise<Answer<N>['body']> {
    const call = this.client.call.bind(this.client) as (
      route: N,
      given?: CallOptions<N>,
    ) => Promise<Answer<N>>
    return (await call(name, options)).body
  }

  /** @throws Error with what the job says, unless it succeeded */
  async finish(jobId: string): Promise<Job> {
    const job = await this.ended(jobId)
    if (job.state !== 'succeeded') {
      throw new Error(`${job.kind} ${job.state}: ${JSON.stringify(job.problem)}`)
    }
    return job
  }

  ended(jobId: string): Promise<Job> {
    const hasEnded = async () => {
      const job = await this.call('getJob', { params: { jobId } })
      return job.endedAt !== null && job
    }
    return waitFor(`${jobId} has ended`, hasEnded, { timeoutMs: READY_MAX_MS })
  }
}
