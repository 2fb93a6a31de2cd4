import { describe, expect, it } from 'vitest'
import { Rounds } from './rounds.ts'

function held() {
  let go: () => void = () => undefined
  const wait = new Promise<void>((resolve) => (go = resolve))
  return { wait, go: () => go() }
}

describe('rounds', () => {
  it('joins a round that is under way instead of beginning a second', async () => {
    const gate = held()
    const begun: number[] = []
    const rounds = new Rounds({
      everyMs: 1000,
      round: async (count) => {
        begun.push(count)
        await gate.wait
      },
      onError: () => undefined,
    })
    const both = [rounds.now(), rounds.now()]
    gate.go()
    await Promise.all(both)
    await rounds.now()
    expect(begun).toEqual([1, 2])
  })

  it('tells whoever asked what a round threw, and goes on', async () => {
    const rounds = new Rounds({
      everyMs: 1000,
      round: async (count) => {
        if (count === 1) throw new Error('once')
      },
      onError: () => undefined,
    })
    await expect(rounds.now()).rejects.toThrow('once')
    await rounds.now()
  })

  it('tells what a round of the timer threw, and comes again', async () => {
    const again = held()
    const errors: unknown[] = []
    await using rounds = new Rounds({
      everyMs: 1,
      round: async (count) => {
        if (count === 1) throw new Error('once')
        again.go()
      },
      onError: (error) => errors.push(error),
    })
    rounds.start()
    await again.wait
    expect(errors).toEqual([new Error('once')])
  })

  it('comes by itself, and waits for the last round when it is stopped', async () => {
    const gate = held()
    const begun = held()
    let ended = false
    const rounds = new Rounds({
      everyMs: 1,
      round: async () => {
        begun.go()
        await gate.wait
        ended = true
      },
      onError: () => undefined,
    })
    rounds.start()
    await begun.wait
    const stopped = rounds.stop()
    expect(ended).toBe(false)
    gate.go()
    await stopped
    expect(ended).toBe(true)
  })
})
