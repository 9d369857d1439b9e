/** Compares docs/guides/other-languages.md with the programs that are tested here. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'

import { blocksOf, quoted, read } from '../../../test/documents.ts'
import { ChatServer } from '../src/start.ts'

const exec = promisify(execFile)
const document = 'docs/guides/other-languages.md'
const blocks = blocksOf(document)

describe('docs/guides/other-languages.md', () => {
  const shown = blocks.flatMap(({ file, text }) => (file === undefined ? [] : [{ file, text }]))

  test.each(shown)('shows $file as it is', ({ file, text }) => {
    expect(text).toBe(quoted(file))
  })

  test('shows a program in each language', () => {
    expect(shown.map(({ file }) => file)).toEqual([
      'interop/chat/src/routes.ts',
      'interop/go/cmd/peer/main.go#main',
      'interop/go/cmd/chat/main.go#serve',
      'interop/python/ask.py#frames',
      'interop/rust/src/main.rs#framing',
    ])
  })

  test('the peer in Go is short', () => {
    expect(read('interop/go/cmd/peer/main.go').trimEnd().split('\n').length).toBeLessThan(65)
  })

  test("curl's answers are those of the document", async () => {
    const help = await exec('curl', ['--version']).catch(() => undefined)
    if (help?.stdout.includes('HTTP2') !== true) throw new Error('this test needs curl with HTTP/2 on the PATH')
    const command = blocks.find(({ language, text }) => language === 'sh' && text.includes('curl'))?.text ?? ''
    await using server = await ChatServer.start('server.ts')
    const { stdout } = await exec('sh', ['-c', command.replaceAll('8080', String(server.port))])
    const comments = command.split('\n').filter((line) => line.startsWith('# '))
    expect(stdout).toBe(comments.map((line) => `${line.slice(2)}\n`).join(''))
  })
})
