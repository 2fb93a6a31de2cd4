import { createHmac } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { waitFor } from '@openmaas/testkit/wait-for'
import { verify } from '../../webhook/signature.ts'
import { checkConfig, kindOf } from './kinds.ts'
import type { ChannelKindName } from './kinds.ts'
import { signDingtalk } from './kinds/dingtalk.ts'
import { signFeishu } from './kinds/feishu.ts'
import { makeMessage, makeTestMessage } from './message.ts'
import type { MessageAlert, NotifyMessage } from './message.ts'
import { HttpReceiver, SmtpReceiver } from './receiver.test-support.ts'

const NOW = Date.UTC(2026, 0, 1, 12)
const ALERT: MessageAlert = {
  id: 'alr_1',
  rule: 'source.rpo',
  severity: 'critical',
  state: 'firing',
  subject: 'src_1',
  labels: { env: 'prod' },
  openedAt: NOW - 60_000,
  resolvedAt: null,
  title: 'shop <!channel> has no point for 2 h',
  cause: 'last failure: [click](http://evil) *a* `b` & "c"\nsecond line',
  nextStep: 'look at job_1',
}
const OPTIONS = {
  id: 'ntf_1',
  at: NOW,
  language: 'en',
  publicUrl: 'https://maas.example/',
} as const
const MESSAGE = makeMessage([ALERT], OPTIONS)
const RESOLVED = makeMessage([{ ...ALERT, state: 'resolved', resolvedAt: NOW + 3_540_000 }], {
  ...OPTIONS,
  language: 'zh',
})

let receiver: HttpReceiver
beforeEach(async () => {
  receiver = await new HttpReceiver().start()
})
afterEach(() => receiver[Symbol.asyncDispose]())

function send(
  name: ChannelKindName,
  config: object,
  message: NotifyMessage = MESSAGE,
): Promise<void> {
  const kind = kindOf(name)
  const signal = AbortSignal.timeout(10_000)
  return kind.send(checkConfig(name, config), message, { fetch, nowMs: NOW, signal })
}

test('a message says what, why and what next; a resolved one how long it lasted', () => {
  expect(MESSAGE).toMatchObject({
    state: 'firing',
    severity: 'critical',
    title: '[Critical] shop <!channel> has no point for 2 h',
    lines: [
      'last failure: [click](http://evil) *a* `b` & "c" second line',
      'Next step: look at job_1',
    ],
    link: 'https://maas.example/alerts/alr_1',
  })
  expect([RESOLVED.title, ...RESOLVED.lines]).toEqual([
    '[已恢复] shop <!channel> has no point for 2 h',
    '持续 1 小时 0 分钟。',
  ])
})

test('many alerts become one message, the worst first, and the rest as a number', () => {
  const many = Array.from({ length: 25 }, (_, i) => ({
    ...ALERT,
    id: `alr_${i}`,
    severity: i === 24 ? ('critical' as const) : ('info' as const),
    title: `alert ${i}`,
  }))
  const message = makeMessage(many, OPTIONS)
  expect([message.state, message.severity, message.title]).toEqual([
    'digest',
    'critical',
    'OpenMaaS: 25 alerts',
  ])
  expect(message.lines).toHaveLength(21)
  expect(message.lines[0]).toBe('[Critical] alert 24')
  expect(message.lines[20]).toBe('… and 5 more')
  expect(message.link).toBe('https://maas.example/alerts')
})

test('webhook: JSON, signed as Standard Webhooks', async () => {
  const secret = 'whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQ='
  await send('webhook', { url: `${receiver.url}/hook`, secret })
  const [{ headers, text, json, path }] = receiver.received as [(typeof receiver.received)[0]]
  expect(path).toBe('/hook')
  expect(headers['webhook-id']).toBe('ntf_1')
  const timestampSeconds = Number(headers['webhook-timestamp'])
  expect(timestampSeconds).toBe(NOW / 1000)
  const signature = String(headers['webhook-signature'])
  expect(verify(secret, { id: 'ntf_1', timestampSeconds, body: text }, signature)).toBe(true)
  expect(json).toEqual({
    type: 'alert.firing',
    timestamp: '2026-01-01T12:00:00.000Z',
    data: {
      severity: 'critical',
      title: MESSAGE.title,
      text: MESSAGE.lines.join('\n'),
      link: 'https://maas.example/alerts/alr_1',
      language: 'en',
      alerts: [{ ...ALERT, openedAt: '2026-01-01T11:59:00.000Z' }],
    },
  })
})

test('Slack: blocks in which nothing rings the channel', async () => {
  await send('slack', { url: `${receiver.url}/services/T/B/x` })
  expect(receiver.received[0]!.json).toEqual({
    text: '[Critical] shop &lt;!channel&gt; has no point for 2 h',
    blocks: [
      {
        type: 'header',
        text: {
          type: 'plain_text',
          text: ':rotating_light: [Critical] shop <!channel> has no point for 2 h',
        },
      },
      {
        type: 'section',
        text: {
          type: 'mrkdwn',
          text:
            'last failure: [click](http://evil) *a* `b` &amp; "c" second line\n' +
            'Next step: look at job_1\n<https://maas.example/alerts/alr_1|Open in OpenMaaS>',
        },
      },
    ],
  })
})

test('Teams: an Adaptive Card in a message', async () => {
  receiver.answer = { status: 202, body: '' }
  await send('teams', { url: receiver.url })
  const { json } = receiver.received[0]!
  expect(json).toMatchObject({
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        contentUrl: null,
        content: {
          type: 'AdaptiveCard',
          version: '1.4',
          body: [
            {
              type: 'TextBlock',
              color: 'Attention',
              text: String.raw`\[Critical\] shop <!channel> has no point for 2 h`,
            },
            { type: 'TextBlock', wrap: true },
          ],
          actions: [{ type: 'Action.OpenUrl', url: 'https://maas.example/alerts/alr_1' }],
        },
      },
    ],
  })
  expect(JSON.stringify(json)).not.toContain('[click](')
})

test('企业微信: Markdown within 4,096 bytes; its errcode decides', async () => {
  receiver.answer = { status: 200, body: '{"errcode":0,"errmsg":"ok"}' }
  await send('wecom', { url: `${receiver.url}/cgi-bin/webhook/send?key=k` })
  expect(receiver.received[0]).toMatchObject({
    path: '/cgi-bin/webhook/send?key=k',
    json: {
      msgtype: 'markdown',
      markdown: {
        content:
          '**<font color="warning">[Critical] shop ＜!channel＞ has no point for 2 h</font>**\n' +
          `> last failure: [click］（http://evil) *a* 'b' & "c" second line\n` +
          '> Next step: look at job_1\n[Open in OpenMaaS](https://maas.example/alerts/alr_1)',
      },
    },
  })
  const long = { ...RESOLVED, lines: Array.from({ length: 30 }, () => '长'.repeat(200)) }
  await send('wecom', { url: receiver.url }, long)
  const { content } = (receiver.received[1]!.json as { markdown: { content: string } }).markdown
  expect(Buffer.byteLength(content)).toBeLessThanOrEqual(4096)
  expect(content).toMatch(/…\n\[在 OpenMaaS 中打开\]\(https:\/\/maas\.example\/alerts\/alr_1\)$/)
  receiver.answer = { status: 200, body: '{"errcode":93000,"errmsg":"invalid webhook url"}' }
  await expect(send('wecom', { url: receiver.url })).rejects.toMatchObject({
    code: 'NOTIFY_REFUSED',
    details: { errcode: 93_000, reason: 'invalid webhook url' },
  })
  receiver.answer = { status: 200, body: '{"errcode":45009,"errmsg":"api freq out of limit"}' }
  await expect(send('wecom', { url: receiver.url })).rejects.toMatchObject({
    code: 'NOTIFY_FAILED',
  })
})

test('钉钉: Markdown, signed in the address', async () => {
  receiver.answer = { status: 200, body: '{"errcode":0,"errmsg":"ok"}' }
  const secret = 'SECabc'
  const url = `${receiver.url}/robot/send?access_token=t+/=`
  await send('dingtalk', { url, secret, atMobiles: ['+86-13800000000'] })
  const { path, json } = receiver.received[0]!
  const query = new URL(path, 'http://x').searchParams
  const expected = createHmac('sha256', secret).update(`${NOW}\n${secret}`).digest('base64')
  expect(query.get('timestamp')).toBe(String(NOW))
  expect(query.get('sign')).toBe(expected)
  expect(json).toMatchObject({
    msgtype: 'markdown',
    markdown: { title: MESSAGE.title },
    at: { atMobiles: ['+86-13800000000'], isAtAll: false },
  })
  const { text } = (json as { markdown: { text: string } }).markdown
  expect(text).toMatch(/^#### \\\[Critical\\\] shop &lt;!channel\\> has no point/)
  expect(text).not.toContain('[click](')
  expect(text.endsWith('@+86-13800000000')).toBe(true)
  receiver.answer = { status: 200, body: '{"errcode":310000,"errmsg":"sign not match"}' }
  await expect(send('dingtalk', { url })).rejects.toMatchObject({ code: 'NOTIFY_REFUSED' })
})

test('飞书: a card of plain text, signed in the body', async () => {
  receiver.answer = { status: 200, body: '{"code":0,"msg":"success","data":{}}' }
  const secret = 'a secret'
  await send('feishu', { url: `${receiver.url}/open-apis/bot/v2/hook/x`, secret })
  const sign = createHmac('sha256', `${NOW / 1000}\n${secret}`).digest('base64')
  expect(receiver.received[0]!.json).toEqual({
    timestamp: String(NOW / 1000),
    sign,
    msg_type: 'interactive',
    card: {
      config: { wide_screen_mode: true },
      header: { template: 'red', title: { tag: 'plain_text', content: MESSAGE.title } },
      elements: [
        { tag: 'div', text: { tag: 'plain_text', content: MESSAGE.lines.join('\n') } },
        {
          tag: 'action',
          actions: [
            {
              tag: 'button',
              text: { tag: 'plain_text', content: 'Open in OpenMaaS' },
              type: 'primary',
              url: 'https://maas.example/alerts/alr_1',
            },
          ],
        },
      ],
    },
  })
  await send('feishu', { url: receiver.url }, RESOLVED)
  expect(receiver.received[1]!.json).toMatchObject({ card: { header: { template: 'green' } } })
  receiver.answer = { status: 200, body: '{"code":19021,"msg":"sign match fail"}' }
  await expect(send('feishu', { url: receiver.url })).rejects.toMatchObject({
    code: 'NOTIFY_REFUSED',
    details: { code: 19_021, reason: 'sign match fail' },
  })
})

test('the signatures are those that Python computes for the same secrets', () => {
  // hmac.new(secret, f"{timestamp}\n{secret}") and hmac.new(f"{timestamp}\n{secret}", b"").
  expect(signDingtalk('this is secret', 1_577_262_236_757)).toEqual({
    timestamp: '1577262236757',
    sign: 'hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM=',
  })
  expect(signFeishu('demo', 1_599_360_473_999)).toEqual({
    timestamp: '1599360473',
    sign: 'l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=',
  })
})

test('e-mail: a text, to all, that no machine answers', async () => {
  await using smtp = await new SmtpReceiver().start()
  const config = {
    host: '127.0.0.1',
    port: smtp.port,
    security: 'none',
    user: 'u',
    password: 'p',
    from: 'maas@example.org',
    to: ['a@example.org', 'b@example.org'],
  }
  await send('email', config, RESOLVED)
  expect(smtp.commands).toContain('MAIL FROM:<maas@example.org>')
  expect(smtp.commands).toContain('RCPT TO:<b@example.org>')
  expect(smtp.commands).toContain(`AUTH PLAIN ${Buffer.from('\0u\0p').toString('base64')}`)
  const [mail = ''] = smtp.mails
  expect(mail).toContain('From: OpenMaaS <maas@example.org>')
  expect(mail).toContain('Message-ID: <ntf_1@openmaas.invalid>')
  expect(mail).toContain('Auto-Submitted: auto-generated')
  expect(mail).toContain('Date: Thu, 01 Jan 2026 12:00:00 +0000')
  const body = Buffer.from(mail.split('\r\n\r\n')[1]!, 'base64').toString('utf8')
  expect(body).toBe('持续 1 小时 0 分钟。\n\n在 OpenMaaS 中打开: https://maas.example/alerts/alr_1')
  smtp.mailAnswer = '550 no such sender'
  await expect(send('email', config)).rejects.toMatchObject({ code: 'NOTIFY_REFUSED' })
  smtp.mailAnswer = '451 come again'
  await expect(send('email', config)).rejects.toMatchObject({ code: 'NOTIFY_FAILED' })
  // Where TLS is asked for and there is none, no password goes out.
  const before = smtp.commands.length
  const strict = { ...config, security: 'starttls' }
  await expect(send('email', strict)).rejects.toMatchObject({ code: 'NOTIFY_FAILED' })
  expect(smtp.commands.slice(before).filter((line) => line.startsWith('AUTH'))).toEqual([])
})

test('syslog: one message for each alert', async () => {
  const socket = createSocket('udp4')
  const received: string[] = []
  socket.on('message', (bytes) => received.push(bytes.toString('utf8')))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const address = `127.0.0.1:${socket.address().port}`
  await send('syslog', { address, transport: 'udp' })
  const options = { id: 'ntf_2', at: NOW, language: 'en' } as const
  await send('syslog', { address }, makeTestMessage(options))
  await waitFor('both are there', () => received.length === 2 || undefined)
  expect(received[0]).toMatch(
    /^<10>1 2026-01-01T11:59:00\.000Z .* alert \[openmaas@32473 id="alr_1" rule="source.rpo"/,
  )
  expect(received[1]).toMatch(/^<14>1 .*OpenMaaS: Test message \| This channel works\./)
  socket.close()
  await expect(send('syslog', { address: '127.0.0.1:9', transport: 'tcp' })).rejects.toMatchObject({
    code: 'NOTIFY_FAILED',
  })
})

test.each([
  [500, 'NOTIFY_FAILED'],
  [429, 'NOTIFY_FAILED'],
  [404, 'NOTIFY_REFUSED'],
  [302, 'NOTIFY_REFUSED'],
])('an answer of %i is %s, with what was answered', async (status, code) => {
  receiver.answer = { status, body: 'x'.repeat(100_000) }
  const failure = send('slack', { url: receiver.url })
  await expect(failure).rejects.toMatchObject({
    code,
    details: { status, answer: 'x'.repeat(300) },
  })
  expect(receiver.received).toHaveLength(1)
})

test('nobody there may pass', async () => {
  await expect(send('teams', { url: 'http://127.0.0.1:9' })).rejects.toMatchObject({
    code: 'NOTIFY_FAILED',
  })
})

test.each([
  ['slack', { url: 'ftp://x' }, '/config/url'],
  ['slack', {}, '/config/url'],
  ['webhook', { url: 'https://x', secret: 'short' }, '/config/secret'],
  ['email', { host: 'x', from: 'a@b.example', to: [] }, '/config/to'],
  ['syslog', { address: 'a:b:c d' }, '/config/address'],
  ['feishu', { url: 'https://x', secrte: 'x' }, '/config'],
] as const)('a config of %s that does not fit is refused: %j', (name, config, pointer) => {
  expect(() => checkConfig(name, config)).toThrow(
    expect.objectContaining({ code: 'REQUEST_INVALID', details: { pointer } }) as Error,
  )
})
