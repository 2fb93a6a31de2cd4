/** Network namespaces, each with one cable to this machine. They go away with the test. */
import { execFileSync } from 'node:child_process'

export interface Namespace {
  readonly name: string
  /** Of this machine, as seen from inside. */
  readonly server: string
  readonly address: string
}

/** Names of interfaces have 15 characters at most. */
export class Namespaces implements Disposable {
  readonly #made: Namespace[] = []
  readonly #network: string

  /** @param network two bytes; suites that may run at once have different ones */
  constructor(network = '10.213') {
    this.#network = network
  }

  add(): Namespace {
    const number = this.#made.length + 1
    const id = `${process.pid % 100_000}n${number}`
    const name = `om${id}`
    const [here, there] = [`oh${id}`, `ot${id}`]
    const server = `${this.#network}.${number}.1`
    const address = `${this.#network}.${number}.2`
    const namespace = { name, server, address }
    ip('netns', 'add', name)
    this.#made.push(namespace)
    ip('link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', name)
    ip('addr', 'add', `${server}/24`, 'dev', here)
    ip('link', 'set', here, 'up')
    ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', there)
    ip('-n', name, 'link', 'set', there, 'up')
    ip('-n', name, 'link', 'set', 'lo', 'up')
    return namespace
  }

  [Symbol.dispose](): void {
    for (const { name } of this.#made) {
      // The cable by itself: a namespace lives on for as long as a socket of it does.
      ip('link', 'del', name.replace('om', 'oh'))
      ip('netns', 'del', name)
    }
  }
}

function ip(...parameters: string[]): void {
  execFileSync('ip', parameters, { stdio: ['ignore', 'ignore', 'pipe'] })
}
