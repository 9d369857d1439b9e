import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { Program } from '../../test/program.ts'

const timeout = 60_000
const ndjson = ['-H', 'content-type: application/x-ndjson']
const curlVersion = spawnSync('curl', ['--version'], { encoding: 'utf8' }).stdout ?? ''
const hasCurl = /\bHTTP2\b/.test(curlVersion)
if (!hasCurl) console.warn('curl with HTTP/2 is not installed: its tests are skipped')

function serve(...options: string[]): Program {
  return Program.run('echo/src/server.ts', ['--port', '0', ...options])
}

function curl(...args: string[]): Program {
  return new Program('curl', ['-N', '--no-progress-meter', ...args])
}

describe.each([
  { name: 'cleartext', server: [], client: [], curlOptions: ['--http2-prior-knowledge'] },
  { name: 'TLS', server: ['--tls'], client: ['--insecure'], curlOptions: ['-k', '--http2'] },
])('over $name', { timeout }, ({ server: serverOptions, client: clientOptions, curlOptions }) => {
  let server: Program
  let url: string

  beforeAll(async () => {
    server = serve(...serverOptions)
    url = await server.url()
  }, timeout)

  afterAll(() => server[Symbol.asyncDispose]())

  test('the client gets each line back while it is running, and ends with its input', async () => {
    await using client = Program.run('echo/src/client.ts', ['--url', url, ...clientOptions])
    client.write('hello\n')
    await client.line(/^hello$/)
    client.end('grüße\n\nlast')
    await client.exitsWith(0)
    expect(client.lines).toEqual(['hello', 'grüße', '', 'last'])
  })

  test('a server that stops lets its channels end first', async () => {
    await using mortal = serve(...serverOptions)
    await using client = Program.run('echo/src/client.ts', ['--url', await mortal.url(), ...clientOptions])
    client.write('before\n')
    await client.line(/^before$/)
    mortal.kill('SIGTERM')
    client.end('after\n')
    await client.exitsWith(0)
    expect(client.lines).toEqual(['before', 'after'])
    await mortal.exitsWith(0)
  })

  test.skipIf(!hasCurl)('curl gets each line of JSON back', async () => {
    await using request = curl(...curlOptions, ...ndjson, '--data-binary', '@-', `${url}/echo`)
    request.end('{"text":"hello"}\n{"text":"again"}\n')
    await request.exitsWith(0)
    expect(request.lines).toEqual(['{"text":"hello"}', '{"text":"again"}'])
  })

  test.skipIf(!hasCurl)('curl gets each line back before it sends the next', async () => {
    await using request = curl(...curlOptions, ...ndjson, '-X', 'POST', '-T', '.', `${url}/echo`)
    const lines = ['{"text":"one"}', '{"text":"two"}', '{"text":"three"}']
    for (const line of lines) {
      request.write(`${line}\n`)
      await request.line(new RegExp(`^${line}$`))
    }
    request.end()
    await request.exitsWith(0)
    expect(request.lines).toEqual(lines)
  })

  test.skipIf(!hasCurl)('an invalid message ends its own request, and no other', async () => {
    await using wrongMessage = curl(...curlOptions, ...ndjson, '--data-binary', '@-', `${url}/echo`)
    wrongMessage.end('{"txt":"hello"}\n')
    expect(await wrongMessage.exited()).not.toBe(0)
    await using stillThere = curl(...curlOptions, ...ndjson, '--data-binary', '@-', `${url}/echo`)
    stillThere.end('{"text":"hello"}\n')
    await stillThere.exitsWith(0)
  })
})

test('the client refuses a certificate that it does not know', { timeout }, async () => {
  await using server = serve('--tls')
  await using client = Program.run('echo/src/client.ts', ['--url', await server.url()])
  await client.exitsWith(1)
  expect(client.output).toMatch(/CONNECT_FAILED/)
})
