import { defineRoute } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:http2'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { Program } from '../../test/program.ts'
import { cbor } from '../src/cbor.ts'

const timeout = 60_000
const curlVersion = spawnSync('curl', ['--version'], { encoding: 'utf8' }).stdout ?? ''
const hasCurl = /\bHTTP2\b/.test(curlVersion)
if (!hasCurl) console.warn('curl with HTTP/2 is not installed: its test is skipped')

const lines = [
  '2026-03-01T12:00:00Z 28-000005e2fdc3 91 01 4b 46 7f ff 0f 10 25\n',
  '2026-03-01T12:01:00Z 28-000005e2fdc3 72 01 4b 46 7f ff 0e 10 57\n',
]
const receipts = [
  '28-000005e2fdc3 1 since 2026-03-01T12:00:00.000Z, mean 25.0625 °C, sha256 30b7d562…',
  '28-000005e2fdc3 2 since 2026-03-01T12:00:00.000Z, mean 24.09375 °C, sha256 d4b6d335…',
]

let server: Program
let url: string

beforeAll(async () => {
  server = Program.run('custom-codec/src/server.ts', ['--port', '0'])
  url = await server.url()
}, timeout)

afterAll(() => server[Symbol.asyncDispose]())

test.each([
  { name: 'CBOR', options: [], announced: /vnd\.example\+cbor$/ },
  { name: 'JSON', options: ['--json'], announced: /vnd\.h2channel\+json$/ },
])('a client sends readings in $name while receipts come', { timeout }, async ({ options, announced }) => {
  await using client = Program.run('custom-codec/src/client.ts', ['--url', url, ...options])
  for (const [index, line] of lines.entries()) {
    client.write(line)
    await client.line(new RegExp(`^28-000005e2fdc3 ${index + 1} `))
  }
  client.end()
  await client.exitsWith(0)
  expect(client.lines).toEqual(receipts)
  await server.line(announced)
})

test('a client skips blank lines, and prints which other lines are not readings', { timeout }, async () => {
  await using client = Program.run('custom-codec/src/client.ts', ['--url', url])
  const wrong = ['hello', 'today 28-000005e2fdc3 91 01 4b 46 7f ff 0f 10 25', '2026-03-01T12:00:00Z 28-000005e2fdc3 91']
  client.end(['', ' ', ...wrong, lines[0]].join('\n'))
  await client.exitsWith(0)
  const complaints = wrong.map((line) => `not a time, a name and nine bytes: ${line}`)
  // Two streams, in any order.
  expect(new Set(client.lines)).toEqual(new Set([...complaints, receipts[0]]))
})

test.skipIf(!hasCurl)('curl uses the same route with lines of JSON', { timeout }, async () => {
  const options = ['--http2-prior-knowledge', '-H', 'content-type: application/x-ndjson', '--data-binary', '@-']
  await using request = new Program('curl', ['-sSN', ...options, `${url}/readings`])
  request.end('{"sensor":"28","at":"2026-03-01T12:00:00Z","celsius":25.0625,"frame":"kQFLRn//DxAl"}\n')
  await request.exitsWith(0)
  const sha256 = 'MLfVYgdoc5hnmj5E6ayGV9aZpYL6mTfefRXUmVZbvzo='
  const receipt = { sensor: '28', count: 1, mean: 25.0625, since: '2026-03-01T12:00:00.000Z', sha256 }
  expect(request.lines.map((line): unknown => JSON.parse(line))).toEqual([receipt])
})

test('a peer without this library sends CBOR, and gets CBOR', { timeout }, async () => {
  const session = connect(url)
  try {
    const mediaType = 'application/vnd.example+cbor'
    const headers = { ':method': 'POST', ':path': '/readings', 'content-type': mediaType, accept: mediaType }
    const request = session.request(headers)
    const responded = once(request, 'response')
    // { "at": 1000, "frame": h'9101', "sensor": "28", "celsius": 25.0625 }: a float of 64 bits, keys in any order.
    const item = 'a4 626174 1903e8 656672616d65 429101 6673656e736f72 623238 6763656c73697573 fb4039100000000000'
    request.end(Buffer.from(`0000002b ${item}`.replaceAll(' ', ''), 'hex'))
    const [{ 'content-type': answered }] = (await responded) as [{ 'content-type'?: string }]
    expect(answered).toBe(mediaType)
    const body = await buffer(request)
    expect(body.readUInt32BE()).toBe(body.length - 4)
    // The shortest keys first, and the shortest float that holds the mean.
    const start = 'a5 646d65616e f94e44 65636f756e74 01 6573696e6365 1903e8 6673656e736f72 623238 66736861323536 5820'
    expect(body.subarray(4, -32).toString('hex')).toBe(start.replaceAll(' ', ''))
  } finally {
    session.close()
  }
})

test('an invalid message ends its own channel, and no other', { timeout }, async () => {
  const anything = defineRoute('/readings', { client: cbor(), server: cbor() })
  await using client = createClient(url)
  await using wrong = await client.open(anything)
  await using right = await client.open(anything)
  await wrong.send({ sensor: '28', at: 1000, celsius: 'warm', frame: Uint8Array.of(0x91, 1) })
  await expect(wrong.receive()).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
  await right.send({ sensor: '28', at: 1000, celsius: 20, frame: Uint8Array.of(0x91, 1) })
  expect(await right.receive()).toMatchObject({ sensor: '28', count: 1, mean: 20, since: 1000 })
})
