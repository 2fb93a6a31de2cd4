import { isMaasError } from '@openmaas/kernel/errors'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { describe, expect, test } from 'vitest'
import { AgentConnection } from './agent-connection.ts'
import { ControlConnection } from './control-connection.ts'
import { fromWireError, hostAbout, parseFrame, controlFrame, toWireError } from './frames.ts'

const about = {
  role: 'agent' as const,
  hostId: 'hst_1',
  instance: 'i1',
  software: '0.1.0',
  verbs: ['host.list'],
  about: hostAbout.parse({ os: 'Debian 12' }),
  dataAddress: null,
  nbdAddress: null,
  portFingerprint: null,
}
const welcome = { ticketKeys: [{ id: 'k', publicKey: 'pem' }], drained: false }

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (isMaasError(error)) return error.code
    throw error
  }
  return 'accepted'
}

function open(hostClock = new FakeClock(), clock = new FakeClock()) {
  const agent = new AgentConnection(hostClock)
  const control = new ControlConnection('hst_1', clock)
  const said = control.receive(agent.begin(about))
  agent.receive(control.admit(welcome))
  return { agent, control, said, clock, hostClock }
}

describe('two ends of a channel', () => {
  test('meet, exchange orders and answers, and stay alive by pings', () => {
    const { agent, control, said, clock, hostClock } = open()
    expect(said).toMatchObject({ kind: 'hello', hello: { hostId: 'hst_1' }, skewMs: 0 })
    const order = {
      type: 'order',
      key: 'j:1',
      verb: 'host.list',
      params: {},
      timeoutMs: 1,
    } as const
    expect(agent.receive(control.send(order))).toEqual({ kind: 'frame', frame: order })
    const result = { type: 'result', key: 'j:1', result: { entries: [] } } as const
    expect(control.receive(agent.send(result))).toEqual({ kind: 'frame', frame: result })
    for (let round = 0; round < 20; round += 1) {
      clock.advance(10_000)
      hostClock.advance(10_000)
      const { send, lost } = control.tick()
      expect(lost).toBe(false)
      for (const ping of send) {
        const reply = agent.receive(ping)
        if (reply.kind === 'ping') control.receive(reply.reply)
      }
      expect(agent.isLost()).toBe(false)
    }
  })

  test('lose each other after 30 s of silence', () => {
    const { agent, control, clock, hostClock } = open()
    clock.advance(29_999)
    hostClock.advance(29_999)
    expect([control.tick().lost, agent.isLost()]).toEqual([false, false])
    clock.advance(1)
    hostClock.advance(1)
    expect([control.tick().lost, agent.isLost()]).toEqual([true, true])
  })

  test('know by how much their clocks differ, whatever jumps', () => {
    const hostClock = new FakeClock(Date.UTC(2026, 0, 1) + 7_000)
    const { agent, control, said, clock } = open(hostClock)
    expect(said).toMatchObject({ skewMs: 7_000 })
    expect(agent.controlMs).toBe(clock.wallMs())
    clock.advance(10_000)
    hostClock.advance(10_000)
    hostClock.jump(0)
    const [ping] = control.tick().send
    const reply = agent.receive(ping!)
    expect(agent.controlMs).toBe(clock.wallMs())
    expect(reply.kind === 'ping' && control.receive(reply.reply)).toEqual({
      kind: 'alive',
      skewMs: -clock.wallMs(),
    })
  })
})

describe('the end of control', () => {
  test('waits 10 s for a hello', () => {
    const clock = new FakeClock()
    const control = new ControlConnection('hst_1', clock)
    clock.advance(9_999)
    expect(control.tick().lost).toBe(false)
    clock.advance(1)
    expect(control.tick().lost).toBe(true)
  })

  test('refuses the hello of another host, another version, another frame, twice, too much', () => {
    const hello = new AgentConnection(new FakeClock()).begin(about)
    const receive = (text: string) =>
      codeOf(() => new ControlConnection('hst_1', new FakeClock()).receive(text))
    expect(receive(hello)).toBe('accepted')
    expect(receive(hello.replace('hst_1', 'hst_2'))).toBe('CHANNEL_PROTOCOL_VIOLATION')
    expect(receive(hello.replace('"version":1', '"version":2'))).toBe('CHANNEL_VERSION_UNSUPPORTED')
    expect(receive('{"type":"pong","id":0,"wallMs":0}')).toBe('CHANNEL_PROTOCOL_VIOLATION')
    expect(receive(hello + ' '.repeat(65_536))).toBe('CHANNEL_PROTOCOL_VIOLATION')
    expect(receive('['.repeat(60_000))).toBe('CHANNEL_PROTOCOL_VIOLATION')
    const control = new ControlConnection('hst_1', new FakeClock())
    control.receive(hello)
    expect(codeOf(() => control.receive(hello))).toBe('CHANNEL_PROTOCOL_VIOLATION')
    control.admit(welcome)
    expect(codeOf(() => control.receive(hello))).toBe('CHANNEL_PROTOCOL_VIOLATION')
  })

  // Goal: whatever a host says first, control answers or refuses. Method: each bit of a hello.
  test('survives every single-bit damage of a hello', () => {
    const hello = Buffer.from(new AgentConnection(new FakeClock()).begin(about))
    for (let bit = 0; bit < hello.length * 8; bit += 1) {
      const damaged = Buffer.from(hello)
      damaged[bit >> 3]! ^= 1 << (bit & 7)
      const control = new ControlConnection('hst_1', new FakeClock())
      const code = codeOf(() => control.receive(damaged.toString('utf8')))
      expect(code, `bit ${bit}`).toMatch(/^(accepted|CHANNEL_\w+)$/)
    }
  })

  test('ends with a host that floods it with events or answers no ping of its', () => {
    const { agent, control } = open()
    const event = agent.send({ type: 'event', event: 'x', data: {} })
    for (let count = 0; count < 10; count += 1) control.receive(event)
    expect(codeOf(() => control.receive(event))).toBe('CHANNEL_PROTOCOL_VIOLATION')
    const pong = '{"type":"pong","id":9,"wallMs":0}'
    expect(codeOf(() => control.receive(pong))).toBe('CHANNEL_PROTOCOL_VIOLATION')
  })
})

describe('the end of the host', () => {
  test('learns why it is refused', () => {
    const agent = new AgentConnection(new FakeClock())
    const control = new ControlConnection('hst_1', new FakeClock())
    control.receive(agent.begin(about))
    const refusal = control.refuse(new Error('secret inside'))
    expect(codeOf(() => agent.receive(refusal))).toBe('INTERNAL')
    expect(agent.isLost()).toBe(true)
  })

  test('takes no order before its welcome', () => {
    const agent = new AgentConnection(new FakeClock())
    agent.begin(about)
    const order = '{"type":"order","key":"k","verb":"host.list","params":{},"timeoutMs":1}'
    expect(codeOf(() => agent.receive(order))).toBe('CHANNEL_PROTOCOL_VIOLATION')
  })
})

describe('an error on the wire', () => {
  test('keeps code, message and details, and never its stack', () => {
    const wire = toWireError(Object.assign(new Error('no'), { syscall: 'open', code: 'ENOENT' }))
    expect(wire.code).toBe('FS_NOT_FOUND')
    expect(Object.keys(wire)).toEqual(['code', 'message', 'details'])
    expect(fromWireError(wire)).toMatchObject({ code: 'FS_NOT_FOUND', details: wire.details })
    const refusal = JSON.stringify({ type: 'refusal', error: wire })
    expect(parseFrame(controlFrame, refusal, 10_000)).toMatchObject({ type: 'refusal' })
  })

  test('with a code of a later version says so', () => {
    const error = fromWireError({ code: 'LATER_THING', message: 'm', details: { a: 1 } })
    expect(error).toMatchObject({ code: 'ORDER_FAILED', details: { a: 1, code: 'LATER_THING' } })
    expect(fromWireError({ code: 'constructor', message: '', details: {} }).code).toBe(
      'ORDER_FAILED',
    )
  })
})
