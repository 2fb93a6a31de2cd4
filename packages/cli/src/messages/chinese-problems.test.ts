import { expect, test } from 'vitest'
import { chineseProblem } from './chinese-problems.ts'

test.each([
  [
    'VIRTUAL_DATABASE_BUSY',
    'it is refreshing',
    { state: 'refreshing' },
    '该虚拟数据库刷新中，目前不能执行此操作',
  ],
  [
    'PRODUCTION_ANSWERS',
    'production answers',
    { host: 'db1', port: 5432 },
    '生产库仍在 db1:5432 应答：请先停止它',
  ],
  ['OBJECT_NOT_FOUND', 'there is no source', { noun: 'source', id: 'src_1' }, '没有数据源“src_1”'],
  ['NAME_TAKEN', 'x is taken', { name: 'x' }, '名称“x”已被占用'],
  [
    'DATABASE_DENIED',
    'no pg_hba.conf entry',
    {},
    '数据库拒绝登录，或缺少权限（no pg_hba.conf entry）',
  ],
  [
    'DATABASE_TARGET_UNREACHABLE',
    'the moment is older',
    { at: '2026-11-01T00:00:00Z', from: '2026-11-02T00:00:00Z' },
    '该时刻（2026-11-01T00:00:00Z）早于最旧的恢复点（2026-11-02T00:00:00Z）',
  ],
  [
    'REQUEST_INVALID',
    'a name begins …',
    { rule: 'name', name: 'a/b' },
    expect.stringMatching(/^名称须以/),
  ],
  [
    'USAGE',
    'x',
    { option: 'nmae', unknown: '--nmae', near: 'name' },
    '没有选项 --nmae；是否为 --name？',
  ],
  ['USAGE', 'x', { option: 'at', wants: '<time>' }, '--at 需要一个值：<time>'],
  [
    'USAGE',
    'x',
    { command: 'vdb show', usage: 'openmaas vdb show <vdb>' },
    '参数不足；用法：openmaas vdb show <vdb>',
  ],
  [
    'USAGE',
    'x',
    { option: 'quota', size: '5' },
    expect.stringMatching(/^--quota 需要带单位的大小/),
  ],
])('%s is said in Chinese', (code, message, details, expected) => {
  expect(chineseProblem({ code, message, details })).toEqual(expected)
})

// Goal: nothing is lost where a newer server knows more than this program.
test.each([
  ['OF_A_NEWER_SERVER', 'what it said', {}],
  ['OBJECT_NOT_FOUND', 'there is no wormhole x', { noun: 'wormhole', id: 'x' }],
  ['REQUEST_INVALID', 'the moment has not been yet', { pointer: '/at' }],
  ['toString', 'no code', {}],
])('%s without what is needed for it stays as it was said', (code, message, details) => {
  expect(chineseProblem({ code, message, details })).toBe(message)
})
