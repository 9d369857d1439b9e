/** Our client against servers that are hostile or broken (RFC 9113). */
import { describe, expect, it } from 'vitest'

import type { RawLink } from '../support/raw-peer.ts'
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
  goaway,
  headers,
  ok,
  reset,
  Setting,
  setting,
} from '../support/raw-peer.ts'
import type { StartWorld } from '../support/raw-worlds.ts'
import { ending, heldWrite, startHostileServer, told } from '../support/raw-worlds.ts'

const { SETTINGS, CONTINUATION, RST_STREAM } = FrameType
const { END_STREAM, END_HEADERS } = Flag

const patience = { pingInterval: 50, pingTimeout: 400 }

const start: StartWorld = (settings, timeouts) =>
  startHostileServer(settings === undefined ? {} : { settings }, {}, timeouts)

describeResets(start)
describeViolations(start)
describeFloods(start)
describeCuts(start)
describeTrickles(start)
describeWindows(start)
// The server did not process the streams above: RFC 9113, section 8.7, allows the client to retry them.
describeGoaway(start, 'RESET 7', (id) => id)

/** `:status`, from HPACK's static table. */
const status = (code: string): Buffer => Buffer.concat([Buffer.of(8, code.length), Buffer.from(code)])

describe('RST_STREAM', () => {
  it.each(codes)('with code %i instead of a response rejects connect()', async (code) => {
    await using world = await startHostileServer()
    const connecting = told(world.connect())
    const { link, stream } = await world.peer.request()
    link.send(reset(stream, code))
    expect(await connecting).toBe(`RESET ${code}`)
    await expectService(world)
  })

  it.each(codes)('with code %i in one packet with the response gives a conn that was reset', async (code) => {
    await using world = await startHostileServer()
    const connecting = world.connect()
    const { link, stream } = await world.peer.request()
    link.send(Buffer.concat([ok(stream), reset(stream, code)]))
    const conn = await connecting
    const closed = await ending(conn)
    const later = await Promise.all([told(conn.read()), told(conn.write(Buffer.from('late')))])
    expect(new Set([closed, ...later])).toEqual(new Set([`RESET ${code}`]))
    await conn.close()
    await expectService(world)
  })

  it.each([0, 2, 8])('with code %i inside the body of an error response keeps what arrived of it', async (code) => {
    await using world = await startHostileServer()
    const connecting = world.connect().then(
      () => undefined,
      (error: unknown) => error,
    )
    const { link, stream } = await world.peer.request()
    link.send(Buffer.concat([headers(stream, status('503')), data(stream, 'so'), reset(stream, code)]))
    expect(await connecting).toMatchObject({ code: 'UNEXPECTED_STATUS', response: { body: Buffer.from('so') } })
    await expectService(world)
  })
})

describe('a response', () => {
  const broken: readonly { readonly name: string; readonly block: Buffer }[] = [
    { name: 'section 8.3.2: without :status', block: field('x-a', 'b') },
    { name: 'section 8.3.2: with :status twice', block: Buffer.concat([status('200'), status('200')]) },
    { name: 'section 8.3.2: with a :status that is no number', block: status('abc') },
    {
      name: 'section 8.3: with a pseudo-header after others',
      block: Buffer.concat([field('x-a', 'b'), status('200')]),
    },
    {
      name: 'section 8.3: with a pseudo-header of requests',
      block: Buffer.concat([status('200'), field(':path', '/')]),
    },
    { name: 'section 8.2.1: with a name in capitals', block: Buffer.concat([status('200'), field('X-A', 'b')]) },
    { name: 'section 8.6: with status 101', block: status('101') },
  ]
  it.each(broken)('$name is malformed: PROTOCOL_ERROR, for its stream alone', async ({ block }) => {
    await using world = await startHostileServer()
    const { link, conns } = await world.open()
    const connecting = told(world.connect())
    const { stream } = await world.peer.request()
    link.send(headers(stream, block), data(conns[0].id, 'alive'))
    expect(await connecting).toBe('RESET 1')
    const { payload } = await link.take(RST_STREAM, (came) => came.stream === stream)
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
    await using world = await startHostileServer()
    const connecting = world.connect()
    const { link, stream } = await world.peer.request()
    link.send(headers(stream, Buffer.concat([status('200'), field('content-length', length)])))
    const conn = await connecting
    link.send(data(stream, 'four', true))
    expect(await ending(conn)).toBe(fate)
    await expectService(world)
  })

  it('section 15 of RFC 9110: may follow informational ones', async () => {
    await using world = await startHostileServer()
    const connecting = world.connect()
    const { link, stream } = await world.peer.request()
    for (const code of ['100', '102', '103', '199']) link.send(headers(stream, status(code)))
    link.send(ok(stream))
    const conn = await connecting
    expect(conn.status).toBe(200)
    conn.abort()
    await expectService(world)
  })

  it('is found after 5,000 informational ones', async () => {
    await using world = await startHostileServer()
    const connecting = world.connect()
    const { link, stream } = await world.peer.request()
    link.send(...Array.from({ length: 5_000 }, () => headers(stream, status('103'))), ok(stream))
    const conn = await connecting
    expect(conn.status).toBe(200)
    conn.abort()
    await expectService(world)
  })

  it('section 8.1: that is informational and ends the stream is malformed', async () => {
    await using world = await startHostileServer()
    const connecting = told(world.connect())
    const { link, stream } = await world.peer.request()
    link.send(headers(stream, status('103'), END_HEADERS | END_STREAM))
    expect(await connecting).toBe('RESET 1')
    await expectService(world)
  })

  it('may come byte by byte, after SETTINGS that did', async () => {
    await using world = await startHostileServer({ settings: null })
    const connecting = world.connect()
    const link = await world.peer.link()
    await trickle(link, frame(SETTINGS, 0, 0))
    await trickle(link, frame(SETTINGS, Flag.ACK, 0))
    const { stream } = await world.peer.request()
    await trickle(link, headers(stream, status('200').subarray(0, 2), 0))
    await trickle(link, frame(CONTINUATION, END_HEADERS, stream, status('200').subarray(2)))
    const conn = await connecting
    link.send(data(stream, 'hello', true))
    expect(await told(conn.read())).toBe('hello')
    await conn.close()
  })

  it.each([
    { name: 'never comes', frames: () => [] },
    { name: 'has headers without end (section 6.10)', frames: (id: number) => [headers(id, status('200'), 0)] },
    { name: 'is informational for ever', frames: (id: number) => [headers(id, status('103'))] },
    { name: 'stops inside a frame', frames: (id: number) => [ok(id).subarray(0, 9)] },
  ])('that $name ends with CONNECT_TIMEOUT', async ({ frames }) => {
    await using world = await startHostileServer()
    const connecting = told(world.connect({ connectTimeout: 50 }))
    const { link, stream } = await world.peer.request()
    link.send(...frames(stream))
    expect(await connecting).toBe('CONNECT_TIMEOUT')
  })

  it.each(cuts)('that is cut by $cut rejects connect() with CONNECTION_LOST', async ({ cutAfter }) => {
    await using world = await startHostileServer()
    const connecting = told(world.connect())
    const { link, stream } = await world.peer.request()
    cutAfter(link, ok(stream).subarray(0, 9))
    expect(await connecting).toBe('CONNECTION_LOST')
    await expectService(world)
  })
})

describe('a connection', () => {
  // grpc-node#2785
  it('without SETTINGS ends with CONNECT_TIMEOUT, and is not kept (section 3.4)', async () => {
    await using world = await startHostileServer({ settings: null })
    const waits = [1, 2].map(() => told(world.connect({ connectTimeout: 50 })))
    const link = await world.peer.link()
    expect(await Promise.all(waits)).toEqual(['CONNECT_TIMEOUT', 'CONNECT_TIMEOUT'])
    await link.closed
    await expect.poll(() => world.sessions.size).toBe(0)
  })

  const starts: readonly { readonly name: string; readonly first: Uint8Array; readonly afterFin: string }[] = [
    { name: 'before SETTINGS', first: new Uint8Array(0), afterFin: 'CONNECT_FAILED' },
    {
      name: 'inside the header of SETTINGS',
      first: frame(SETTINGS, 0, 0).subarray(0, 5),
      afterFin: 'HTTP2_NOT_SUPPORTED',
    },
    { name: 'inside SETTINGS', first: frame(SETTINGS, 0, 0, shut).subarray(0, 11), afterFin: 'HTTP2_NOT_SUPPORTED' },
    { name: 'after SETTINGS, before it acknowledges ours', first: frame(SETTINGS, 0, 0), afterFin: 'CONNECT_FAILED' },
  ]
  describe.each(cuts)('cut by $cut', ({ cut, cutAfter }) => {
    it.each(starts)('$name rejects connect()', async ({ first, afterFin }) => {
      await using world = await startHostileServer({ settings: null })
      const connecting = told(world.connect())
      cutAfter(await world.peer.link(), first)
      expect(await connecting).toBe(cut === 'FIN' ? afterFin : 'CONNECT_FAILED')
    })
  })

  it.each([
    { name: 'a PING', first: frame(FrameType.PING, 0, 0, new Uint8Array(8)) },
    { name: 'GOAWAY', first: goaway(0, 0) },
    { name: 'a response', first: ok(1) },
  ])('that begins with $name instead of SETTINGS is no HTTP/2 (section 3.4)', async ({ first }) => {
    await using world = await startHostileServer({ settings: null })
    const connecting = told(world.connect())
    const link = await world.peer.link()
    link.send(first)
    await givenUp(link)
    expect(await connecting).toBe('HTTP2_NOT_SUPPORTED')
  })

  it.each(codes.filter((code) => code !== 0))(
    'that says GOAWAY with code %i before a response is lost',
    async (code) => {
      await using world = await startHostileServer()
      const connecting = told(world.connect())
      const { link } = await world.peer.request()
      link.send(goaway(0, code))
      expect(await connecting).toBe('CONNECTION_LOST')
      await expectService(world)
    },
  )

  it('that receives GOAWAY before a response is replaced, three times at most (section 8.7)', async () => {
    await using world = await startHostileServer()
    const connecting = told(world.connect())
    const links = new Set<RawLink>()
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const { link } = await world.peer.request()
      links.add(link)
      link.send(goaway(0, 0))
    }
    expect(await connecting).toBe('RESET 7')
    expect(links.size).toBe(3)
    await expectService(world)
  })

  it('whose server enables push ends (section 6.5.2)', async () => {
    await using world = await startHostileServer()
    const { link, conns } = await world.open()
    const read = told(conns[0].conn.read())
    link.send(frame(SETTINGS, 0, 0, setting(Setting.ENABLE_PUSH, 1)))
    await givenUp(link)
    expect(await read).toBe('CONNECTION_LOST')
    await expectService(world)
  })

  it('that our side ended with GOAWAY is closed (section 5.4.1)', { timeout: 2_000 }, async () => {
    await using world = await startHostileServer({ settings: shut }, patience)
    await expectEndAfterOwnGoaway(world)
    await expect.poll(() => world.sessions.size).toBe(0)
    await expectService(world)
  })

  it('whose peer stops answering pings ends every wait with PEER_SILENT (nodejs/node#42710)', async () => {
    const script = { answersPings: false, settings: shut }
    await using world = await startHostileServer(script, patience)
    const { conns } = await world.open(2)
    const waits = conns.flatMap(({ conn }) => [told(conn.read()), heldWrite(conn), ending(conn)])
    expect(new Set(await Promise.all(waits))).toEqual(new Set(['PEER_SILENT']))
  })

  it('whose peer refuses 200 requests is kept', async () => {
    await using world = await startHostileServer()
    for (let turn = 0; turn < 200; turn += 1) {
      const connecting = told(world.connect())
      const { link, stream } = await world.peer.request()
      link.send(reset(stream, 7))
      expect(await connecting).toBe('RESET 7')
    }
    expect(world.sessions.size).toBe(1)
    await expectService(world)
  })
})
