import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { chinese } from '../messages/chinese.ts'
import { english } from '../messages/english.ts'
import { makeText } from '../messages/text.ts'
import { bashCompletion } from './bash.ts'
import { fishCompletion } from './fish.ts'
import { powershellCompletion } from './powershell.ts'
import { zshCompletion } from './zsh.ts'

/** What bash offers after these words. */
function completeInBash(...words: string[]): string[] {
  const quoted = words.map((word) => `'${word}'`).join(' ')
  const script = `${bashCompletion()}
COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _openmaas
printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
  expect(stderr).toBe('')
  return stdout.split('\n').filter((word) => word !== '')
}

requires(['bash'], () => {
  describe('in bash', () => {
    test.each([
      [
        ['openmaas', 'p'],
        ['pool', 'points', 'plug', 'point', 'policy', 'protect'],
      ],
      [['openmaas', 'pool', 'key', 'r'], ['remove']],
      [['openmaas', '--pool', '/x', 'pool', 'i'], ['init']],
      [['openmaas', 'restore', '--conflict', 'r'], ['rename']],
      [
        ['openmaas', 'points', '--lang', ''],
        ['en', 'zh'],
      ],
      [
        ['openmaas', 'plug', '--re'],
        ['--read-only', '--resume'],
      ],
      [['openmaas', 'completion', 'z'], ['zsh']],
      [['openmaas', 'points', '--name', ''], []],
    ])('%j offers %j', (words, expected) => {
      expect(completeInBash(...words).toSorted()).toEqual(expected.toSorted())
    })

    test('paths are offered where paths are wanted', () => {
      using directory = new TemporaryDirectory()
      writeFileSync(directory.join('file'), '')
      const path = `${directory.path}/f`
      expect(completeInBash('openmaas', 'backup', path)).toEqual([directory.join('file')])
      expect(completeInBash('openmaas', 'x', '--pool', path)).toEqual([])
    })
  })
})

describe.each([
  ['zsh', ['-n'], zshCompletion()],
  ['fish', ['--no-execute'], fishCompletion(makeText(english))],
  ['fish', ['--no-execute'], fishCompletion(makeText(chinese))],
])('the script for %s', (shell, args, script) => {
  requires([shell], () => {
    test('is one that the shell accepts', () => {
      // From a file: fish does not take a script from a socket, which a child's input is.
      using directory = new TemporaryDirectory()
      const file = directory.join('completion')
      writeFileSync(file, script)
      const { status, stderr } = spawnSync(shell, [...args, file], { encoding: 'utf8' })
      expect([status, stderr]).toEqual([0, ''])
    })
  })
})

test('the script for PowerShell knows every command', () => {
  expect(powershellCompletion()).toContain("'pool key add' = '--new-passphrase-file --pool")
})
