/** Our server against clients that are hostile or broken (RFC 9113). */
import { describe, expect, it } from 'vitest'

import { keepServerAlive } from '../../src/http2/keep-alive.ts'
import {
  codes,
  cuts,
  describeCuts,
  describeFloods,
  describeGoaway,
  describeResets,
  describeTrickles,
  describeViolations,
  describeWindows,
  expectEndAfterOwnGoaway,
  expectService,
  givenUp,
  isNode20,
  shut,
  trickle,
} from '../support/raw-hostility.ts'
import {
  data,
  field,
  Flag,
  frame,
  FrameType,
  greeting,
  headers,
  ping,
  post,
  preface,
  reset,
} from '../support/raw-peer.ts'
import { ending, heldWrite, startHostileClient, told } from '../support/raw-worlds.ts'

const { SETTINGS, CONTINUATION, RST_STREAM } = FrameType
const { END_HEADERS } = Flag

const patience = { pingInterval: 50, pingTimeout: 400 }

describeResets(startHostileClient)
describeViolations(startHostileClient)
describeFloods(startHostileClient)
describeCuts(startHostileClient)
describeTrickles(startHostileClient)
describeWindows(startHostileClient)
// The last stream is one that the server pushed: it says nothing of the client's own.
describeGoaway(startHostileClient, 'stay open', () => 0)

describe('RST_STREAM', () => {
  it.each(codes)('with code %i in one packet with the request gives a conn that was reset', async (code) => {
    await using world = await startHostileClient()
    const link = world.link()
    link.send(Buffer.concat([headers(1, post), reset(1, code)]))
    const { accepting } = await world.accepted.next()
    const conn = await accepting
    const closed = await ending(conn)
    const later = await Promise.all([told(conn.read()), told(conn.write(Buffer.from('late')))])
    expect(new Set([closed, ...later])).toEqual(new Set([`RESET ${code}`]))
    await conn.close()
    await expectService(world)
  })

  it('20,000 times, each right after its request, ends the session and every conn (CVE-2023-44487)', async () => {
    await using world = await startHostileClient()
    const { link, conns } = await world.open()
    const read = told(conns[0].conn.read())
    const ids = Array.from({ length: 20_000 }, (_, index) => 2 * index + 3)
    link.send(...ids.map((id) => Buffer.concat([headers(id, post), reset(id, 8)])))
    await givenUp(link)
    expect(await read).toBe('CONNECTION_LOST')
    await expect.poll(() => world.sessions.size).toBe(0)
    const accepted = await Promise.all(world.accepted.all().map(({ accepting }) => accepting))
    const endings = new Set(await Promise.all(accepted.map(ending)))
    expect([...endings].filter((word) => word !== 'RESET 8' && word !== 'CONNECTION_LOST')).toEqual([])
    // 1,000 at once (`streamResetBurst`), and what one packet brings beyond them.
    expect(accepted.length).toBeLessThan(10_000)
    await expectService(world)
  })
})

describe('a request', () => {
  const method = Buffer.of(0x83)
  const rest = Buffer.of(0x86, 0x84)
  const broken: readonly { readonly name: string; readonly block: Buffer }[] = [
    { name: 'section 8.3.1: without :method', block: rest },
    { name: 'section 8.3.1: without :path and :scheme', block: method },
    { name: 'section 8.3.1: with :method twice', block: Buffer.concat([method, method, rest]) },
    { name: 'section 8.3.1: with an empty :path', block: Buffer.concat([method, Buffer.of(0x86), field(':path', '')]) },
    { name: 'section 8.3: with :status', block: Buffer.concat([method, rest, Buffer.of(0x88)]) },
    { name: 'section 8.3: with a pseudo-header after others', block: Buffer.concat([field('x-a', 'b'), method, rest]) },
    { name: 'section 8.3: with an unknown pseudo-header', block: Buffer.concat([method, rest, field(':x', 'b')]) },
    { name: 'section 8.2.1: with a name in capitals', block: Buffer.concat([method, rest, field('X-A', 'b')]) },
    { name: 'section 8.2.2: with a header of HTTP/1', block: Buffer.concat([method, rest, field('connection', 'a')]) },
  ]
  it.each(broken)('$name is malformed: PROTOCOL_ERROR, for its stream alone', async ({ block }) => {
    await using world = await startHostileClient()
    const { link, conns } = await world.open()
    link.send(headers(3, block), data(conns[0].id, 'alive'))
    const { payload } = await link.take(RST_STREAM, ({ stream }) => stream === 3)
    expect(payload.readUInt32BE()).toBe(1)
    expect(await told(conns[0].conn.read())).toBe('alive')
    conns[0].conn.abort()
    await expectService(world)
  })

  it.each([
    // Of the stream, says the RFC. Later versions of Node end the connection.
    { name: 'more', length: '3', fate: isNode20 ? 'RESET 1' : 'CONNECTION_LOST' },
    { name: 'less', length: '5', fate: 'RESET 1' },
  ])('section 8.1.1: with $name content than it announced is malformed', async ({ length, fate }) => {
    await using world = await startHostileClient()
    const link = world.link()
    link.send(headers(1, Buffer.concat([post, field('content-length', length)])))
    const conn = await (await world.accepted.next()).accepting
    link.send(data(1, 'four', true))
    expect(await ending(conn)).toBe(fate)
    await expectService(world)
  })

  // Section 5.1.1 has it end the connection. nghttp2 ignores it: it may be one that our side has reset already.
  it('with a lower number than the one before is ignored', async () => {
    await using world = await startHostileClient()
    const link = world.link()
    link.send(headers(5, post))
    const conn = await (await world.accepted.next()).accepting
    link.send(headers(3, post), data(5, 'alive'))
    expect(await told(conn.read())).toBe('alive')
    expect(world.accepted.all()).toEqual([])
    conn.abort()
    await expectService(world)
  })

  it('may come byte by byte, after a preface that did', async () => {
    await using world = await startHostileClient()
    const link = world.link(new Uint8Array(0))
    await trickle(link, greeting())
    await trickle(link, headers(1, post.subarray(0, 2), 0))
    await trickle(link, frame(CONTINUATION, END_HEADERS, 1, post.subarray(2)))
    const conn = await (await world.accepted.next()).accepting
    link.send(data(1, 'hello', true))
    expect([conn.method, conn.path, await told(conn.read())]).toEqual(['POST', '/', 'hello'])
    await conn.close()
    expect(await ending(conn)).toBe('clean')
  })

  it.each(cuts)('that is cut by $cut inside its headers is ignored, and the next is served', async ({ cutAfter }) => {
    await using world = await startHostileClient()
    const link = world.link()
    await link.handled()
    cutAfter(link, headers(1, post).subarray(0, 12))
    await link.closed
    await expect.poll(() => world.sessions.size).toBe(0)
    expect(world.accepted.all()).toEqual([])
    await expectService(world)
  })
})

describe('a connection', () => {
  const starts: readonly { readonly name: string; readonly first: Uint8Array }[] = [
    { name: 'before the preface', first: new Uint8Array(0) },
    { name: 'inside the preface', first: preface.subarray(0, 10) },
    { name: 'behind the preface', first: preface },
    { name: 'inside the header of SETTINGS', first: greeting().subarray(0, preface.length + 5) },
    { name: 'inside SETTINGS', first: greeting(shut).subarray(0, preface.length + 11) },
  ]
  describe.each(cuts)('cut by $cut', ({ cutAfter }) => {
    it.each(starts)('$name leaves nothing, and the next is served (section 3.4)', async ({ first }) => {
      await using world = await startHostileClient()
      const link = world.link(new Uint8Array(0))
      // The server's SETTINGS: it has a session.
      await link.take(SETTINGS)
      expect(world.sessions.size).toBe(1)
      cutAfter(link, first)
      await expect.poll(() => world.sessions.size).toBe(0)
      await expectService(world)
    })
  })

  it.each([
    { name: 'HTTP/1', first: Buffer.from('GET / HTTP/1.1\r\nhost: test\r\n\r\n') },
    { name: 'a broken preface', first: Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n') },
    { name: 'a PING', first: Buffer.concat([preface, ping()]) },
    { name: 'a request', first: Buffer.concat([preface, headers(1, post)]) },
  ])('that begins with $name instead of preface and SETTINGS ends (section 3.4)', async ({ first }) => {
    await using world = await startHostileClient()
    const link = world.link(first)
    await givenUp(link)
    await link.closed
    await expect.poll(() => world.sessions.size).toBe(0)
    await expectService(world)
  })

  it('that our side ended with GOAWAY is closed (section 5.4.1)', { timeout: 2_000 }, async () => {
    await using world = await startHostileClient(shut)
    world.server.on('session', (session) => keepServerAlive(session, patience))
    await expectEndAfterOwnGoaway(world)
    await expect.poll(() => world.sessions.size).toBe(0)
    await expectService(world)
  })

  it('whose peer stops answering pings ends every wait with PEER_SILENT (nodejs/node#42710)', async () => {
    await using world = await startHostileClient()
    world.server.on('session', (session) => keepServerAlive(session, patience))
    const link = world.link(greeting(shut), false)
    link.send(headers(1, post), headers(3, post))
    const conns = [await (await world.accepted.next()).accepting, await (await world.accepted.next()).accepting]
    const waits = conns.flatMap((conn) => [told(conn.read()), heldWrite(conn), ending(conn)])
    expect(new Set(await Promise.all(waits))).toEqual(new Set(['PEER_SILENT']))
  })
})
