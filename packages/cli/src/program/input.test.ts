import { describe, expect, test } from 'vitest'
import { type Input, nearest, parseInput } from './input.ts'
import type { CommandSpec } from './spec.ts'
import { COMMANDS, GLOBAL_OPTIONS } from './tree.ts'

const parse = (path: string, ...args: string[]): Input =>
  parseInput(
    COMMANDS.find((command) => command.path === path)!,
    GLOBAL_OPTIONS,
    args,
  )

const usage = (message: string): unknown =>
  expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(message) as unknown })

describe('the command line', () => {
  test('takes options and arguments in any order and spelling', () => {
    for (const args of [
      ['/home', '--name', 'x', '-x', '--tag=a=b', '--tag', 'c=d'],
      ['-x', '--tag', 'a=b', '--tag', 'c=d', '--name=x', '/home'],
      ['--name', 'x', '-x', '--tag=a=b', '--tag=c=d', '--', '/home'],
    ]) {
      const input = parse('backup', ...args)
      expect(input.positionals).toEqual(['/home'])
      expect(input.text('name')).toBe('x')
      expect(input.has('one-file-system')).toBe(true)
      expect(input.list('tag')).toEqual(['a=b', 'c=d'])
      expect(input.has('volume')).toBe(false)
    }
  })

  test('takes several short switches together', () => {
    const input = parse('ls', '-lR', 'latest')
    expect([input.has('long'), input.has('recursive')]).toEqual([true, true])
  })

  test('takes no empty value for a path: a script forgot to set a variable', () => {
    const message = usage('not empty')
    expect(() => parse('restore', 'latest', '--to', '')).toThrowError(message)
    expect(() => parse('plug', 'latest', '--at=')).toThrowError(message)
    expect(() => parse('pool init', '')).toThrowError(usage('empty'))
    expect(parse('plug', 'latest', '--nbd').text('nbd')).toBe('')
  })

  test('takes everything behind -- as an argument', () => {
    expect(parse('find', '--', '--name').positionals).toEqual(['--name'])
  })

  test('takes a lone dash as an argument', () => {
    expect(parse('find', '-').positionals).toEqual(['-'])
  })

  test('takes the last of an option given twice', () => {
    expect(parse('points', '--name', 'a', '--name', 'b').text('name')).toBe('b')
  })

  test.each([
    [['--nbd', 'latest'], '', ['latest']],
    [['latest', '--nbd'], '', ['latest']],
    [['--nbd', 'latest:2'], '', ['latest:2']],
    [['--nbd', 'unix:/run/a', 'latest'], 'unix:/run/a', ['latest']],
    [['--nbd', 'localhost:10809', 'latest'], 'localhost:10809', ['latest']],
    [['--nbd', '[::1]:10809', 'latest'], '[::1]:10809', ['latest']],
    [['--nbd=10.0.0.1:1', 'latest'], '10.0.0.1:1', ['latest']],
  ])('tells an address from a point: %j', (args, address, positionals) => {
    const input = parse('plug', ...args)
    expect(input.text('nbd')).toBe(address)
    expect(input.positionals).toEqual(positionals)
  })

  test.each([
    [['backup'], 'wants <path>'],
    [['backup', 'a', 'b'], 'unexpected argument "b"'],
    [['backup', 'a', '--nmae', 'x'], 'did you mean --name?'],
    [['backup', 'a', '--zzzz'], 'unknown option --zzzz'],
    [['backup', 'a', '-z'], 'unknown option -z'],
    [['backup', 'a', '--name'], '--name wants a value: <name>'],
    [['backup', 'a', '--name', '--full'], '--name wants a value: <name>'],
    [['backup', 'a', '--full=yes'], '--full takes no value'],
  ])('refuses %j and names what is wrong', ([path, ...args], message) => {
    expect(() => parse(path!, ...args)).toThrowError(usage(message))
  })

  test('does not insist on arguments when help is asked for', () => {
    expect(parse('backup', '--help').has('help')).toBe(true)
  })

  test.each([
    ['512B', 512],
    ['1073741824', 2 ** 30],
    ['0', 0],
    ['10K', 10_240],
    ['1.5G', 1.5 * 2 ** 30],
  ])('reads the size %s', (text, size) => {
    expect(parse('plug', 'latest', '--quota', text).size('quota')).toBe(size)
  })

  test.each(['ten', '-1', '1X'])('refuses the size "%s"', (text) => {
    const input = parse('plug', 'latest', `--quota=${text}`)
    expect(() => input.size('quota')).toThrowError(usage('--quota wants a size'))
  })

  test('takes a small number for a unit that was forgotten', () => {
    const input = parse('plug', 'latest', '--quota', '20')
    expect(() => input.size('quota')).toThrowError(usage('wants a unit: 20GiB, 20MiB, or 20B'))
  })

  test.each(['0', '17', '1.5', 'x'])('refuses %s lanes', (text) => {
    const input = parse('backup', 'a', `--lanes=${text}`)
    expect(() => input.integer('lanes', { min: 1, max: 16 })).toThrowError(usage('1 to 16'))
  })
})

describe('the command tree', () => {
  const options = (command: CommandSpec) => [...command.options, ...GLOBAL_OPTIONS]

  test.each(COMMANDS.map((command) => [command.path, command] as const))(
    'gives every option of "%s" one meaning',
    (_path, command) => {
      const names = options(command).map((option) => option.name)
      const letters = options(command).flatMap((option) => option.short ?? [])
      expect(new Set(names).size).toBe(names.length)
      expect(new Set(letters).size).toBe(letters.length)
    },
  )

  test.each(COMMANDS.map((command) => [command.path, command] as const))(
    'has examples of "%s" that parse, and a module that runs',
    async (path, command) => {
      expect(command.examples.length).toBeGreaterThan(0)
      for (const example of command.examples) {
        // As a shell would cut it; what follows a redirection is not ours.
        const words = example.match(/'[^']*'|\S+/g)!.map((word) => word.replaceAll("'", ''))
        const end = words.findIndex((word) => word === '>' || word === '|')
        const args = words.slice(path.split(' ').length, end < 0 ? undefined : end)
        expect(() => parseInput(command, GLOBAL_OPTIONS, args), example).not.toThrow()
      }
      expect(await command.load()).toHaveProperty('run')
    },
  )
})

test('a typing error is recognised, another word is not', () => {
  expect(nearest('bakcup', ['backup', 'points'])).toBe('backup')
  expect(nearest('point', ['backup', 'points'])).toBe('points')
  expect(nearest('restart', ['backup', 'points'])).toBeUndefined()
  expect(nearest('a', ['ls'])).toBeUndefined()
})
