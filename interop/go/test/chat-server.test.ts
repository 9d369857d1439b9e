import { createClient } from '@h2channel/channel/client'
import { defineRoute } from '@h2channel/channel'
import { json, msgpack } from '@h2channel/codecs'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import { chat, Heard, Said } from '../../chat/src/routes.ts'
import { needs } from '../../needs.ts'

needs(inject('goProblem'))

describe('a server in Go without h2conn', () => {
  let program: ChildProcessWithoutNullStreams
  let origin: string

  beforeAll(async () => {
    program = spawn(join(inject('goPrograms'), 'chat'), ['127.0.0.1:0'])
    const [address] = (await once(createInterface(program.stdout), 'line')) as [string]
    origin = `http://${address}`
  })

  afterAll(async () => {
    const over = once(program, 'close')
    program.kill()
    await over
  })

  test('serves a channel of this library, whose half ends first', async () => {
    await using client = createClient(origin)
    const channel = await client.open(chat)
    expect(await channel.receive()).toEqual({ from: 'server', text: 'welcome' })
    for (const text of ['hello', '', '<b> & größer 😀', 'x'.repeat(100_000)]) {
      await channel.send({ text })
      expect(await channel.receive()).toEqual({ from: 'echo', text })
    }
    await channel.end()
    expect(await channel.receive()).toEqual({ from: 'server', text: 'bye' })
    expect(await channel.receive()).toBeUndefined()
    expect(await channel.closed).toEqual({ clean: true })
  })

  test('a message over its limit resets the stream', async () => {
    await using client = createClient(origin, { limits: { maxMessageBytes: 8 * 1024 * 1024 } })
    await using channel = await client.open(chat)
    expect(await channel.receive()).toEqual({ from: 'server', text: 'welcome' })
    const sent = channel.send({ text: 'x'.repeat(5 * 1024 * 1024) })
    const error: unknown = await channel.receive().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'INTERNAL', cause: { rstCode: 2 } })
    await sent
  })

  const path = '/chat'
  const other = defineRoute('/other', { client: json(Said), server: json(Heard) })
  const packed = defineRoute(path, { client: msgpack(Said), server: msgpack(Heard) })
  const half = defineRoute(path, { client: json(Said), server: msgpack(Heard) })

  test.each([
    { what: 'another path', route: other, code: 'NOT_FOUND', status: 404 },
    { what: 'another format of the client', route: packed, code: 'UNSUPPORTED_CODEC', status: 415 },
    { what: 'another format of the server', route: half, code: 'UNSUPPORTED_CODEC', status: 406 },
  ])('refuses $what with $status', async ({ route, code, status }) => {
    await using client = createClient(origin)
    const error: unknown = await client.open(route).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code, cause: { response: { status } } })
  })

  test.each([
    { what: 'a web page', headers: { origin: 'https://shop.example' }, status: 403 },
    { what: 'another method', headers: { ':method': 'GET' }, status: 405 },
    { what: 'a request without content-type', headers: {}, status: 415 },
  ])('refuses $what with $status', async ({ headers, status }) => {
    const session = connect(origin)
    const request = session.request({ ':method': 'POST', ':path': path, ...headers })
    request.end()
    const [response] = (await once(request, 'response')) as [{ ':status': number }]
    expect(response[':status']).toBe(status)
    request.resume()
    session.close()
    await once(session, 'close')
  })
})
