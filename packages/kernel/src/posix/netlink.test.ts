import { describe, expect, test } from 'vitest'
import {
  attribute,
  CTRL_ATTR_FAMILY_ID,
  encodeMessage,
  familyRequest,
  findAttribute,
  NLMSG_ERROR,
  numberAttribute,
  readMessages,
} from './netlink.ts'
import { posixAvailable } from './library.ts'
import { GenericNetlink } from './socket.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')

test('the question for a family is as the kernel wants it, byte for byte', () => {
  expect(familyRequest('nbd', 1)).toEqual(
    hex(`1c000000 1000 0500 01000000 00000000
         03 02 0000  0800 0200 6e626400`),
  )
})

test('attributes nest, and are padded to four bytes', () => {
  const nested = attribute(7, attribute(1, numberAttribute(1, 4, 9)))
  expect(nested).toEqual(hex('1000 0700  0c00 0100  0800 0100 09000000'))
  expect(attribute(3, hex('0102'))).toEqual(hex('0600 0300 0102 0000'))
  expect(numberAttribute(2, 8, 2 ** 40)).toEqual(hex('0c00 0200 0000000000010000'))
})

test('answers are taken apart, whatever their order', () => {
  const header = { type: 0x1c, sequence: 5, command: 1, version: 1 }
  const answer = encodeMessage(
    header,
    Buffer.concat([attribute(9, hex('ff')), attribute(1, hex('0300'))]),
  )
  const failed = hex(
    '24000000 0200 0000 05000000 00000000 f0ffffff 14000000 1c000500 05000000 00000000',
  )
  const [first, second, ...rest] = readMessages(Buffer.concat([answer, failed]))
  expect(rest).toEqual([])
  expect(first).toMatchObject({ type: 0x1c, sequence: 5, errno: 0 })
  expect(findAttribute(first!.attributes, 1)).toEqual(hex('0300'))
  expect(findAttribute(first!.attributes, 2)).toBeUndefined()
  expect(second).toMatchObject({ type: NLMSG_ERROR, sequence: 5, errno: 16 })
})

test.each([
  ['a length of zero', hex('00000000 1000 0000 01000000 00000000 00000000')],
  ['a length beyond the datagram', hex('ff000000 1000 0000 01000000 00000000 00000000')],
  ['half a header', hex('14000000 1000')],
])('%s ends the answers', (_title, bytes) => {
  expect(readMessages(bytes)).toEqual([])
})

test.each([
  ['an attribute of length zero', hex('0000 0100 00000000')],
  ['an attribute beyond the message', hex('0c00 0100 00000000')],
])('%s is not found', (_title, bytes) => {
  expect(findAttribute(bytes, CTRL_ATTR_FAMILY_ID)).toBeUndefined()
})

const available = posixAvailable()
describe.skipIf(!available)(available ? 'this kernel' : 'skipped: Linux missing', () => {
  test('knows its controller, and no family that nobody has made', () => {
    using controller = GenericNetlink.open('nlctrl', 2)
    expect(controller).toBeDefined()
    const NO_SUCH_COMMAND = 200
    expect(controller!.ask(NO_SUCH_COMMAND, Buffer.alloc(0)).result).toBeLessThan(0)
    expect(GenericNetlink.open('no such family', 1)).toBeUndefined()
  })
})
