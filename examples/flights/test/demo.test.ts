import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { connect as connectHttp2 } from 'node:http2'
import { get } from 'node:https'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { Program } from '../../test/program.ts'

const timeout = 120_000
let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flights-test-'))
})

afterEach(() => rm(directory, { recursive: true }))

test('the demo sends all flights with each codec, and the summaries agree', { timeout }, async () => {
  await using demo = Program.run('flights/src/demo.ts', [], { env: { TMPDIR: directory } })
  await demo.exitsWith(0)
  for (const codec of ['json', 'msgpack', 'struct']) {
    expect(demo.output).toContain(`${codec.padEnd(8)}50,000 of 231,083 flights summed up`)
    expect(demo.output).toMatch(new RegExp(`│ ${codec} +│ 231,083 │ +[\\d,]{9,} │`))
  }
  expect(demo.output).toMatch(/^17:00 {2}█{39}▋ +16,166 +10\.5 min$/m)
  expect(demo.output).toContain('summaries equal: 3 from the server, 1 from the file')
  expect(await leftBehind(demo)).toEqual({ isListening: false, files: [] })
})

test.each([
  ['while the client starts', /listening on/],
  ['while the flights are on their way', /^json .* summed up/],
])('interrupted %s, the demo leaves nothing behind', { timeout }, async (_when, line) => {
  await using demo = Program.run('flights/src/demo.ts', [], { env: { TMPDIR: directory } })
  await demo.line(line)
  demo.kill('SIGINT')
  await demo.exitsWith(130)
  expect(await leftBehind(demo)).toEqual({ isListening: false, files: [] })
})

test('the server answers ordinary requests of HTTP/1.1 and HTTP/2 on the same port', { timeout }, async () => {
  const file = join(directory, 'ca.pem')
  await using server = Program.run('flights/src/server.ts', ['--port', '0', '--ca', file])
  const url = await server.url()
  const ca = await readFile(file)
  expect(await overHttp1(`${url}/healthz`, ca)).toEqual({ version: '1.1', status: 200, body: 'ok\n' })
  expect(await overHttp1(`${url}/elsewhere`, ca)).toMatchObject({ status: 404 })
  expect(await overHttp1(`${url}/flights/json`, ca)).toMatchObject({ status: 505 })
  expect(await overHttp2(url, '/healthz', ca)).toEqual({ status: 200, body: 'ok\n' })
  expect(await overHttp2(url, '/elsewhere', ca)).toMatchObject({ status: 404 })
})

async function leftBehind(demo: Program): Promise<{ isListening: boolean; files: string[] }> {
  const { port } = new URL(await demo.url())
  const files = await readdir(directory)
  return { isListening: await isListening(Number(port)), files: files.filter((name) => name.startsWith('flights-')) }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function overHttp1(url: string, ca: Buffer): Promise<{ version: string; status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const request = get(url, { ca, agent: false }, (response) => {
      text(response).then((body) => {
        resolve({ version: response.httpVersion, status: response.statusCode, body })
      }, reject)
    })
    request.once('error', reject)
  })
}

async function overHttp2(url: string, path: string, ca: Buffer): Promise<{ status: number | undefined; body: string }> {
  const session = connectHttp2(url, { ca })
  try {
    const request = session.request({ ':path': path })
    const status = new Promise<number | undefined>((resolve, reject) => {
      request.once('response', (headers) => resolve(headers[':status']))
      request.once('error', reject)
      session.once('error', reject)
    })
    return { status: await status, body: await text(request) }
  } finally {
    session.close()
  }
}
