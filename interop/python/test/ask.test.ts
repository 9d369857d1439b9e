import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import { ChatServer } from '../../chat/src/start.ts'
import { needs } from '../../needs.ts'

const exec = promisify(execFile)
needs(inject('pythonProblem'))

describe('a peer in Python that uses httpx', () => {
  let server: ChatServer

  beforeAll(async () => {
    server = await ChatServer.start('server.ts')
  })

  afterAll(() => server[Symbol.asyncDispose]())

  function ask(path: string, texts: readonly string[]): Promise<{ stdout: string; stderr: string }> {
    const program = fileURLToPath(new URL('../ask.py', import.meta.url))
    const env = { ...process.env, PYTHONPATH: inject('pythonPath'), PYTHONIOENCODING: 'utf-8' }
    return exec(inject('python'), [program, `http://127.0.0.1:${server.port}${path}`, ...texts], { env })
  }

  test('asks, ends its half, and reads the answers to the end', async () => {
    const texts = ['hello', '', '<b> & "größer" \\ \u2028 😀', 'x'.repeat(100_000)]
    const { stdout } = await ask('/chat', texts)
    expect(stdout).toBe(['server: welcome', ...texts.map((text) => `echo: ${text}`), 'server: bye', ''].join('\n'))
  })

  test('asks nothing', async () => {
    expect((await ask('/chat', [])).stdout).toBe('server: welcome\nserver: bye\n')
  })

  test('gets the status of a refusal', async () => {
    const failure: unknown = await ask('/nowhere', ['hello']).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 1, stderr: 'refused: 404\n' })
  })
})
