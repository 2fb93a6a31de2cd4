import { expect, test } from 'vitest'
import { freePort, isPortFree } from './free-port.ts'
import { runProgram } from './run-program.ts'

test('the output of a program comes back, and its input goes in', async () => {
  const outcome = await runProgram(['cat'], { input: 'some text' })
  expect(outcome).toEqual({ exitCode: 0, stdout: 'some text', stderr: '' })
})

test('a failure names the program, the exit code and the telling line of stderr', async () => {
  const script = 'echo "error: no such slot" >&2; echo "bye" >&2; exit 3'
  await expect(runProgram(['sh', '-c', script])).rejects.toMatchObject({
    code: 'DATABASE_PROGRAM_FAILED',
    message: 'sh failed with exit code 3: error: no such slot',
    details: { exitCode: 3, stderr: 'error: no such slot\nbye' },
  })
})

test('an exit code that is an answer is no failure', async () => {
  const outcome = await runProgram(['sh', '-c', 'exit 2'], { exitCodes: [0, 2] })
  expect(outcome.exitCode).toBe(2)
})

test('a cancelled program is ended together with what it started', async () => {
  const abort = new AbortController()
  const lines: string[] = []
  const running = runProgram(['sh', '-c', 'sleep 300 & echo started >&2; wait'], {
    signal: abort.signal,
    onStderrLine: (line) => {
      lines.push(line)
      abort.abort()
    },
  })
  await expect(running).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(lines).toEqual(['started'])
})

test('a program that takes too long is ended', async () => {
  const running = runProgram(['sleep', '300'], { timeoutMs: 20 })
  await expect(running).rejects.toMatchObject({ code: 'DATABASE_PROGRAM_FAILED' })
})

test('a program that is not there is named', async () => {
  await expect(runProgram(['/does/not/exist'])).rejects.toMatchObject({ code: 'MISSING_PROGRAM' })
})

test('a port that is told free can be listened on', async () => {
  const port = await freePort(['127.0.0.1'])
  expect(port).toBeGreaterThan(0)
  expect(await isPortFree(port, ['127.0.0.1'])).toBe(true)
})

test('an address of another host is refused in plain words', async () => {
  await expect(freePort(['192.0.2.1'])).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})
