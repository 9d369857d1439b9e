/** A channel over a transport that is not HTTP/2. */
import { json } from '@h2channel/codecs'
import { fromDuplex } from '@h2channel/conn'
import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { Channel } from '../../src/index.ts'
import { failOnUnhandledRejections, failure, hexOf, jsonFrames, receiveAll } from '../support/support.ts'

failOnUnhandledRejections()

let server: Server

beforeAll(async () => {
  server = createServer({ allowHalfOpen: true })
  await once(server.listen(0, '127.0.0.1'), 'listening')
})

afterAll(() => {
  server.close()
})

async function sockets(): Promise<[near: Socket, far: Socket]> {
  const near = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  const [far] = (await once(server, 'connection')) as [Socket]
  return [near, far]
}

function channelOver(socket: Socket, control: boolean): Channel<unknown, unknown> {
  return new Channel(fromDuplex(socket), { send: json(), receive: json(), control })
}

describe.each([true, false])('over TCP, with control frames: %s', (control) => {
  test('both halves carry frames, and each ends with its bytes (OTHER-1)', async () => {
    const [near, far] = (await sockets()).map((socket) => channelOver(socket, control))
    if (near === undefined || far === undefined) throw new Error('there are two')
    await near.send(1)
    await near.end()
    expect(await receiveAll(far)).toEqual([1])
    await far.send(2)
    await far.end()
    expect(await receiveAll(near)).toEqual([2])
    expect(await Promise.all([near.closed, far.closed])).toEqual([{ clean: true }, { clean: true }])
  })

  test('an abort of one end is an error at the other (OTHER-1)', async () => {
    const [near, far] = (await sockets()).map((socket) => channelOver(socket, control))
    if (near === undefined || far === undefined) throw new Error('there are two')
    await near.send(1)
    expect(await far.receive()).toBe(1)
    const received = far.receive().catch((error: unknown) => error)
    near.abort()
    expect(await received).toMatchObject({ name: 'ChannelError', side: 'remote', fatal: true })
    await failure(near.receive(), 'ABORTED')
  })
})

test('the bytes are those of frames, and FIN (OTHER-1)', async () => {
  const [socket, far] = await sockets()
  const channel = channelOver(socket, false)
  await channel.send({ a: 1 })
  await channel.end()
  const chunks: Buffer[] = []
  for await (const chunk of far) chunks.push(chunk as Buffer)
  expect(hexOf(Buffer.concat(chunks))).toBe(hexOf(jsonFrames({ a: 1 })))
  far.end()
  await channel.close()
})
