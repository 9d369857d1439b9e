/** What a hostile or broken peer can do alike to a client and to a server, in tables, with what must come of it. */
import { describe, expect, it, onTestFinished } from 'vitest'

import type { Http2Conn } from '../../src/index.ts'
import { connLimits } from '../../src/index.ts'
import type { RawLink } from './raw-peer.ts'
import {
  data,
  field,
  Flag,
  frame,
  FrameType,
  goaway,
  headers,
  ping,
  reset,
  Setting,
  setting,
  windowUpdate,
  words,
} from './raw-peer.ts'
import type { Opened, StartWorld, World } from './raw-worlds.ts'
import { ending, heldWrite, told } from './raw-worlds.ts'

const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } =
  FrameType
const { END_STREAM, ACK, END_HEADERS, PADDED } = Flag
const most = 2 ** 31 - 1

/** Node 20 has an older nghttp2, and emits nothing when that ends a session. */
export const isNode20: boolean = process.versions.node.startsWith('20.')

/** Every code of RFC 9113, section 7, and two that it doesn't know. */
export const codes: readonly number[] = [...Array.from({ length: 14 }).keys(), 0xff, 0xffff_ffff]

/** SETTINGS that let us send nothing. */
export const shut: Buffer = setting(Setting.INITIAL_WINDOW_SIZE, 0)

const trailer = field('x-trailer', 'yes')
const zeros = (size: number): Buffer => Buffer.alloc(size)
const times = (count: number, part: Uint8Array): Buffer => Buffer.concat(Array.from({ length: count }, () => part))

/** Whether another conn is served now: both ways, on whichever connection. */
export async function expectService(world: World): Promise<void> {
  const {
    link,
    conns: [{ conn, id }],
  } = await world.open()
  link.send(windowUpdate(id, 10), data(id, 'at your service', true))
  expect(await told(conn.read())).toBe('at your service')
  await conn.write(Buffer.from('thanks'))
  expect(await link.take(DATA, ({ stream }) => stream === id)).toMatchObject({ payload: Buffer.from('thanks') })
  await conn.close()
  expect(await ending(conn)).toBe('clean')
}

type Outcomes = Readonly<Record<string, string>>

/** Waits for all of them. */
async function outcomes(waits: Readonly<Record<string, Promise<string>>>): Promise<Outcomes> {
  return Object.fromEntries(
    await Promise.all(Object.entries(waits).map(async ([wait, outcome]) => [wait, await outcome])),
  )
}

interface Moment {
  readonly name: string
  /** Whether the peer's window is shut. */
  readonly isShut?: boolean
  /** Brings the conn to this moment, and returns who waits then. */
  arrive(opened: Opened, link: RawLink): Promise<Readonly<Record<string, Promise<string>>>>
  /** How waits end, and later calls. `RESET` stands for `RESET` with the code. */
  readonly expected: Outcomes
}

const ended = (id: number) => (came: { readonly stream: number; readonly flags: number }) =>
  came.stream === id && came.flags === END_STREAM

const moments: readonly Moment[] = [
  {
    name: 'with reads waiting',
    arrive: async ({ conn }) => ({ read: told(conn.read()), second: told(conn.read()) }),
    expected: {
      read: 'RESET',
      second: 'RESET',
      closed: 'RESET',
      'later read': 'RESET',
      'later write': 'RESET',
      close: 'done',
    },
  },
  {
    name: 'with a chunk unread',
    async arrive({ conn, id }, link) {
      link.send(data(id, 'unread'))
      await link.handled()
      return { closed: ending(conn) }
    },
    expected: { closed: 'RESET', 'later read': 'RESET', 'later write': 'RESET', close: 'done' },
  },
  {
    name: 'with a write held back',
    isShut: true,
    arrive: async ({ conn }) => ({ write: heldWrite(conn), second: told(conn.write(Buffer.from('b'))) }),
    expected: {
      write: 'RESET',
      second: 'RESET',
      closed: 'RESET',
      'later read': 'RESET',
      'later write': 'RESET',
      close: 'done',
    },
  },
  {
    name: 'with closeWrite() waiting for what was accepted',
    isShut: true,
    arrive: async ({ conn }) => ({ write: heldWrite(conn), closeWrite: told(conn.closeWrite()) }),
    expected: {
      write: 'RESET',
      closeWrite: 'RESET',
      closed: 'RESET',
      'later read': 'RESET',
      'later write': 'RESET',
      close: 'done',
    },
  },
  {
    name: 'after our half-close',
    async arrive({ conn, id }, link) {
      const read = told(conn.read())
      await conn.closeWrite()
      await link.take(DATA, ended(id))
      return { read }
    },
    expected: { read: 'RESET', closed: 'RESET', 'later read': 'RESET', 'later write': 'CLOSED', close: 'done' },
  },
  {
    name: 'after the half-close of the peer, with a write held back (section 8.1)',
    isShut: true,
    async arrive({ conn, id }, link) {
      link.send(data(id, 'all', true))
      expect([await told(conn.read()), await told(conn.read())]).toEqual(['all', 'end'])
      return { write: heldWrite(conn) }
    },
    expected: { write: 'RESET', closed: 'RESET', 'later read': 'end', 'later write': 'RESET', close: 'done' },
  },
  {
    name: 'in one packet with the half-close of the peer (nodejs/node#24983)',
    isShut: true,
    async arrive({ conn, id }, link) {
      link.socket.cork()
      link.send(data(id, 'all', true))
      return { read: told(conn.read()), end: told(conn.read()), write: heldWrite(conn) }
    },
    expected: {
      read: 'all',
      end: 'end',
      write: 'RESET',
      closed: 'RESET',
      'later read': 'end',
      'later write': 'RESET',
      close: 'done',
    },
  },
  {
    name: 'during close(), with everything handed over',
    async arrive({ conn, id }, link) {
      const closing = told(conn.close())
      await link.take(DATA, ended(id))
      return { closing }
    },
    expected: { closing: 'done', closed: 'RESET', 'later read': 'RESET', 'later write': 'CLOSED', close: 'done' },
  },
  {
    name: 'during close(), with a write held back',
    isShut: true,
    arrive: async ({ conn }) => ({ write: heldWrite(conn), closing: told(conn.close()) }),
    expected: {
      write: 'RESET',
      closing: 'RESET',
      closed: 'RESET',
      'later read': 'RESET',
      'later write': 'RESET',
      close: 'RESET',
    },
  },
  {
    name: 'in one packet with the end of both halves',
    async arrive({ conn, id }, link) {
      await conn.closeWrite()
      await link.take(DATA, ended(id))
      link.socket.cork()
      link.send(data(id, 'all', true))
      return { read: told(conn.read()), end: told(conn.read()) }
    },
    expected: {
      read: 'all',
      end: 'end',
      closed: 'clean',
      'later read': 'end',
      'later write': 'CLOSED',
      close: 'done',
    },
  },
  {
    name: 'long after the end of both halves (section 5.1)',
    async arrive({ conn, id }, link) {
      await conn.closeWrite()
      await link.take(DATA, ended(id))
      link.send(data(id, '', true))
      return { read: told(conn.read()), closed: ending(conn) }
    },
    expected: { read: 'end', closed: 'clean', 'later read': 'end', 'later write': 'CLOSED', close: 'done' },
  },
]

export function describeResets(start: StartWorld): void {
  describe.each(moments)('RST_STREAM $name', ({ isShut, arrive, expected }) => {
    it.each(codes)('with code %i wakes every wait, and harms no other stream', async (code) => {
      await using world = await start(isShut === true ? shut : undefined)
      const {
        link,
        conns: [victim, neighbour],
      } = await world.open(2)
      const { conn, id } = victim
      const waits = await arrive(victim, link)
      link.send(reset(id, code), data(neighbour?.id ?? 0, 'alive'))
      link.socket.uncork()
      const then = await outcomes({ ...waits, closed: ending(conn) })
      const later = await outcomes({
        'later read': told(conn.read()),
        'later write': told(conn.write(Buffer.from('late'))),
        close: told(conn.close()),
      })
      const named = Object.entries(expected).map(([wait, word]) => [wait, word === 'RESET' ? `RESET ${code}` : word])
      expect({ ...then, ...later }).toEqual(Object.fromEntries(named))
      expect(neighbour && (await told(neighbour.conn.read()))).toBe('alive')
      neighbour?.conn.abort()
      await expectService(world)
    })
  })
}

/** How the streams end: all stay open, one is reset with that code, or all are lost with their connection. */
type Fate = 'lives' | 'connection' | number

interface Violation {
  /** Of RFC 9113. */
  readonly section: string
  readonly name: string
  readonly frames: (id: number) => readonly Uint8Array[]
  readonly fate: Fate
  /** What Node 20 makes of it where it differs. */
  readonly onNode20?: Fate
  /** What is read up to the end, where the peer has ended its half. */
  readonly reads?: readonly string[]
}

const violations: readonly Violation[] = [
  // What must be ignored, or is allowed.
  { section: '5.5', name: 'an unknown frame type', frames: (id) => [frame(0xbe, 0xff, id, trailer)], fate: 'lives' },
  { section: '5.5', name: 'an unknown type on stream 0', frames: () => [frame(0xbe, 0xff, 0)], fate: 'lives' },
  { section: '4.1', name: 'flags without a meaning', frames: (id) => [frame(DATA, 0xf6, id)], fate: 'lives' },
  { section: '4.1', name: 'the reserved bit', frames: (id) => [frame(DATA, 0, 2 ** 31 + id)], fate: 'lives' },
  { section: '5.3.2', name: 'PRIORITY', frames: (id) => [frame(PRIORITY, 0, id, zeros(5))], fate: 'lives' },
  { section: '5.3.2', name: 'PRIORITY, idle', frames: (id) => [frame(PRIORITY, 0, id + 98, zeros(5))], fate: 'lives' },
  {
    section: '5.3.2',
    name: 'PRIORITY of a stream that depends on itself',
    frames: (id) => [frame(PRIORITY, 0, id, Buffer.concat([words(id), zeros(1)]))],
    fate: 'lives',
    onNode20: 'connection',
  },
  { section: '6.1', name: 'DATA that is padding', frames: (id) => [frame(DATA, PADDED, id, zeros(1))], fate: 'lives' },
  { section: '6.1', name: 'empty DATA', frames: (id) => [frame(DATA, 0, id)], fate: 'lives' },
  {
    section: '6.5.2',
    name: 'an unknown setting',
    frames: () => [frame(SETTINGS, 0, 0, setting(99, 1))],
    fate: 'lives',
  },
  {
    section: '8.1',
    name: 'trailers',
    frames: (id) => [headers(id, trailer, END_HEADERS | END_STREAM)],
    fate: 'lives',
    reads: ['end'],
  },
  {
    section: '6.10',
    name: 'trailers in three pieces',
    frames: (id) => [
      headers(id, trailer.subarray(0, 4), END_STREAM),
      frame(CONTINUATION, 0, id),
      frame(CONTINUATION, END_HEADERS, id, trailer.subarray(4)),
    ],
    fate: 'lives',
    reads: ['end'],
  },

  // Errors of a stream.
  { section: '8.1', name: 'trailers without END_STREAM', frames: (id) => [headers(id, trailer)], fate: 1 },
  { section: '8.1', name: 'trailers with a pseudo-header', frames: (id) => [headers(id, Buffer.of(0x88), 5)], fate: 1 },
  { section: '8.2.1', name: 'a name in capitals', frames: (id) => [headers(id, field('X-A', 'b'), 5)], fate: 1 },
  {
    section: '8.2.2',
    name: 'a header of HTTP/1',
    frames: (id) => [headers(id, field('connection', 'close'), 5)],
    fate: 1,
  },

  // Errors of the connection, and what nghttp2 takes for one.
  {
    section: '5.1',
    name: 'DATA after END_STREAM',
    frames: (id) => [data(id, 'last', true), data(id, 'more')],
    fate: 'connection',
    reads: ['last', 'end'],
  },
  {
    section: '5.1',
    name: 'HEADERS after END_STREAM',
    frames: (id) => [data(id, 'last', true), headers(id, trailer, 5)],
    fate: 'connection',
    reads: ['last', 'end'],
  },
  { section: '5.1', name: 'DATA on an idle stream', frames: (id) => [data(id + 98, 'a')], fate: 'connection' },
  { section: '5.1', name: 'DATA on one of our streams', frames: () => [data(2, 'a')], fate: 'connection' },
  { section: '5.1', name: 'RST_STREAM on an idle stream', frames: (id) => [reset(id + 98, 8)], fate: 'connection' },
  { section: '5.1', name: 'WINDOW_UPDATE, idle', frames: (id) => [windowUpdate(id + 98, 1)], fate: 'connection' },
  { section: '5.1.1', name: 'HEADERS with an even stream', frames: () => [headers(2, trailer)], fate: 'connection' },
  { section: '6.1', name: 'DATA on stream 0', frames: () => [data(0, 'a')], fate: 'connection' },
  { section: '6.2', name: 'HEADERS on stream 0', frames: () => [headers(0, trailer)], fate: 'connection' },
  { section: '6.4', name: 'RST_STREAM on stream 0', frames: () => [reset(0, 8)], fate: 'connection' },
  { section: '6.4', name: 'RST_STREAM cut', frames: (id) => [frame(RST_STREAM, 0, id, zeros(3))], fate: 'connection' },
  { section: '6.3', name: 'PRIORITY cut', frames: (id) => [frame(PRIORITY, 0, id, zeros(4))], fate: 'connection' },
  {
    section: '4.2',
    name: 'DATA over MAX_FRAME_SIZE',
    frames: (id) => [data(id, 'a'.repeat(16_385))],
    fate: 'connection',
  },
  {
    section: '4.2',
    name: 'an unknown frame over it',
    frames: () => [frame(99, 0, 0, zeros(16_385))],
    fate: 'connection',
  },
  { section: '4.3', name: 'HPACK index 0', frames: (id) => [headers(id, Buffer.of(0x80), 5)], fate: 'connection' },
  {
    section: '4.3',
    name: 'an HPACK index too high',
    frames: (id) => [headers(id, Buffer.of(0xfe), 5)],
    fate: 'connection',
  },
  {
    section: '4.3',
    name: 'an HPACK table over the limit',
    frames: (id) => [headers(id, Buffer.of(0x3f, 0xff, 0xff, 0xff, 0x07), 5)],
    fate: 'connection',
  },
  {
    section: '4.3',
    name: 'an HPACK string that is no Huffman code',
    frames: (id) => [headers(id, Buffer.of(0, 1, 0x78, 0x84, 0xff, 0xff, 0xff, 0xff), 5)],
    fate: 'connection',
  },
  { section: '4.3', name: 'HPACK cut', frames: (id) => [headers(id, Buffer.of(0, 5, 0x78), 5)], fate: 'connection' },
  {
    section: '6.1',
    name: 'DATA with padding longer than itself',
    frames: (id) => [frame(DATA, PADDED, id, Buffer.of(3, 0))],
    fate: 'connection',
  },
  {
    section: '6.1',
    name: 'DATA without its pad length',
    frames: (id) => [frame(DATA, PADDED, id)],
    fate: 'connection',
  },
  {
    section: '6.2',
    name: 'HEADERS with padding longer than itself',
    frames: (id) => [frame(HEADERS, PADDED | END_HEADERS | END_STREAM, id, Buffer.of(9, 0))],
    fate: 'connection',
  },
  {
    section: '6.10',
    name: 'DATA where CONTINUATION must follow',
    frames: (id) => [headers(id, trailer, END_STREAM), data(id, 'a')],
    fate: 'connection',
  },
  {
    section: '6.10',
    name: 'PING there',
    frames: (id) => [headers(id, trailer, END_STREAM), ping()],
    fate: 'connection',
  },
  {
    section: '6.10',
    name: 'an unknown frame there',
    frames: (id) => [headers(id, trailer, END_STREAM), frame(99, 0, 0)],
    fate: 'connection',
  },
  {
    section: '6.10',
    name: 'CONTINUATION of another stream',
    frames: (id) => [headers(id, trailer, END_STREAM), frame(CONTINUATION, END_HEADERS, id + 2)],
    fate: 'connection',
  },
  {
    section: '6.10',
    name: 'CONTINUATION of nothing',
    frames: (id) => [frame(CONTINUATION, END_HEADERS, id, trailer)],
    fate: 'connection',
  },
  {
    section: '8.4',
    name: 'PUSH_PROMISE, which we disabled',
    frames: (id) => [frame(PUSH_PROMISE, END_HEADERS, id, Buffer.concat([words(2), Buffer.of(0x82, 0x86, 0x84)]))],
    fate: 'connection',
  },
  { section: '6.5', name: 'SETTINGS of 5 bytes', frames: () => [frame(SETTINGS, 0, 0, zeros(5))], fate: 'connection' },
  { section: '6.5', name: 'SETTINGS on a stream', frames: (id) => [frame(SETTINGS, 0, id)], fate: 'connection' },
  {
    section: '6.5',
    name: 'an acknowledgement of SETTINGS with a payload',
    frames: () => [frame(SETTINGS, ACK, 0, setting(99, 1))],
    fate: 'connection',
  },
  {
    section: '6.5.2',
    name: 'INITIAL_WINDOW_SIZE of 2^31',
    frames: () => [frame(SETTINGS, 0, 0, setting(Setting.INITIAL_WINDOW_SIZE, 2 ** 31))],
    fate: 'connection',
  },
  {
    section: '6.5.2',
    name: 'ENABLE_PUSH of 2',
    frames: () => [frame(SETTINGS, 0, 0, setting(Setting.ENABLE_PUSH, 2))],
    fate: 'connection',
  },
  ...[0, 16_383, 2 ** 24].map((size) => ({
    section: '6.5.2',
    name: `MAX_FRAME_SIZE of ${size}`,
    frames: () => [frame(SETTINGS, 0, 0, setting(Setting.MAX_FRAME_SIZE, size))],
    fate: 'connection' as const,
  })),
  { section: '6.7', name: 'PING of 7 bytes', frames: () => [frame(PING, 0, 0, zeros(7))], fate: 'connection' },
  { section: '6.7', name: 'PING on a stream', frames: (id) => [frame(PING, 0, id, zeros(8))], fate: 'connection' },
  {
    section: '6.5.3',
    name: 'an acknowledgement of no SETTINGS',
    frames: () => [frame(SETTINGS, ACK, 0), frame(SETTINGS, ACK, 0)],
    fate: 'connection',
  },
  // RFC 9113 has no word on it. Node takes it for an attack.
  { section: '6.7', name: 'an answer to no PING', frames: () => [frame(PING, ACK, 0, zeros(8))], fate: 'connection' },
  { section: '6.8', name: 'GOAWAY cut', frames: () => [frame(GOAWAY, 0, 0, zeros(7))], fate: 'connection' },
  { section: '6.8', name: 'GOAWAY on a stream', frames: (id) => [frame(GOAWAY, 0, id, zeros(8))], fate: 'connection' },
  { section: '6.9', name: 'WINDOW_UPDATE of 0', frames: (id) => [windowUpdate(id, 0)], fate: 'connection' },
  { section: '6.9', name: 'WINDOW_UPDATE of 0, stream 0', frames: () => [windowUpdate(0, 0)], fate: 'connection' },
  {
    section: '6.9',
    name: 'WINDOW_UPDATE cut',
    frames: (id) => [frame(WINDOW_UPDATE, 0, id, zeros(3))],
    fate: 'connection',
  },
  {
    section: '6.9.1',
    name: 'a window of a stream over 2^31-1',
    frames: (id) => [windowUpdate(id, most), windowUpdate(id, most)],
    fate: 'connection',
  },
  {
    section: '6.9.1',
    name: 'a window of the connection over 2^31-1',
    frames: () => [windowUpdate(0, most)],
    fate: 'connection',
  },
  {
    section: '6.9.2',
    name: 'SETTINGS that bring a window over 2^31-1',
    frames: (id) => [
      windowUpdate(id, 2 ** 22),
      frame(SETTINGS, 0, 0, setting(Setting.INITIAL_WINDOW_SIZE, most - 2 ** 21)),
    ],
    fate: 'connection',
    onNode20: 3,
  },
  {
    section: '3.4',
    name: 'a word of HTTP/1',
    frames: () => [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    fate: 'connection',
  },
  { section: '4.1', name: 'noise', frames: () => [Buffer.alloc(64, 0xff)], fate: 'connection' },
  { section: '6.1', name: 'zeros', frames: () => [zeros(9 * 9)], fate: 'connection' },
]

/** Waits until our side has given the connection up: it says GOAWAY, or hangs up. */
export async function givenUp(link: RawLink): Promise<void> {
  await link.take(GOAWAY).catch(() => {})
  // On Node 20 our side waits for the peer to hang up, or for a ping: see `expectEndAfterOwnGoaway`.
  if (isNode20) link.socket.destroy()
}

export function describeViolations(start: StartWorld): void {
  describe('a peer that breaks RFC 9113', () => {
    it.each(violations)('section $section: $name', async ({ frames, fate, onNode20, reads }) => {
      await using world = await start(shut)
      const {
        link,
        conns: [victim, neighbour],
      } = await world.open(2)
      if (neighbour === undefined) throw new Error('no neighbour')
      const writes = { victim: heldWrite(victim.conn), neighbour: heldWrite(neighbour.conn) }
      const near = told(neighbour.conn.read())
      await link.handled()
      link.send(...frames(victim.id), ...(reads === undefined ? [data(victim.id, 'more')] : []))
      link.send(data(neighbour.id, 'alive'))

      const expected = isNode20 && onNode20 !== undefined ? onNode20 : fate
      const isLost = expected === 'connection'
      if (isLost) await givenUp(link)
      else link.send(...[0, neighbour.id].map((id) => windowUpdate(id, 2 ** 20)))
      if (expected === 'lives') link.send(windowUpdate(victim.id, 2 ** 20))
      const isReset = typeof expected === 'number'
      const rst = isReset ? await link.take(RST_STREAM, ({ stream }) => stream === victim.id) : undefined

      const error = isLost ? 'CONNECTION_LOST' : `RESET ${expected}`
      const wanted = reads ?? [expected === 'lives' ? 'more' : error]
      const seen: string[] = []
      while (seen.length < wanted.length) seen.push(await told(victim.conn.read()))
      expect({ rst: rst?.payload.readUInt32BE(), reads: seen, write: await writes.victim }).toEqual({
        rst: isReset ? expected : undefined,
        reads: wanted,
        write: expected === 'lives' ? 'done' : error,
      })
      expect([await near, await writes.neighbour]).toEqual(isLost ? [error, error] : ['alive', 'done'])
      const closed = [victim, neighbour].map(({ conn }) => ending(conn))
      for (const { conn } of [victim, neighbour]) conn.abort()
      expect(await Promise.all(closed)).toEqual([expected === 'lives' ? 'ABORTED' : error, isLost ? error : 'ABORTED'])
      await expectService(world)
    })
  })
}

/**
 * RFC 9113, section 5.4.1: an endpoint that finds a connection error sends GOAWAY and closes, even if the peer
 * continues as if nothing had happened.
 *
 * @param world - one in which pings come every few milliseconds.
 */
export async function expectEndAfterOwnGoaway(world: World): Promise<void> {
  const { link, conns } = await world.open(2)
  const waits = conns.flatMap(({ conn }) => [told(conn.read()), heldWrite(conn), ending(conn)])
  await link.handled()
  link.send(frame(PING, 0, 0, zeros(7)))
  const goingOn = setInterval(() => link.send(ping()), 10)
  onTestFinished(() => {
    clearInterval(goingOn)
    link.socket.destroy()
  })
  expect(new Set(await Promise.all(waits))).toEqual(new Set(['CONNECTION_LOST']))
  await link.closed
}

interface Flood {
  readonly name: string
  readonly frames: (id: number) => Uint8Array
  /** Whether the streams live on: `either` where it depends on how many frames one packet brings. */
  readonly survives: boolean | 'either'
  /** The fate on Node 20, where it differs. */
  readonly onNode20?: boolean
}

const flood = 20_000
const long = field('x-long', 'a'.repeat(100))

const floods: readonly Flood[] = [
  { name: 'PING (CVE-2019-9512)', frames: () => times(flood, ping()), survives: 'either' },
  { name: 'SETTINGS (CVE-2019-9515)', frames: () => times(flood, frame(SETTINGS, 0, 0)), survives: 'either' },
  { name: 'empty DATA (CVE-2019-9518)', frames: (id) => times(flood, data(id, '')), survives: false },
  { name: 'WINDOW_UPDATE', frames: (id) => times(flood, windowUpdate(id, 1)), survives: true },
  { name: 'WINDOW_UPDATE of stream 0', frames: () => times(flood, windowUpdate(0, 1)), survives: true },
  {
    name: 'PRIORITY (CVE-2019-9513)',
    frames: (id) => times(flood, frame(PRIORITY, 0, id, zeros(5))),
    survives: false,
    onNode20: true,
  },
  {
    name: 'unknown frames',
    frames: (id) => times(flood, frame(99, 0, id, zeros(5))),
    survives: false,
    onNode20: true,
  },
  {
    name: 'CONTINUATION, which makes headers without end (CVE-2024-27983)',
    frames: (id) => Buffer.concat([headers(id, long, END_STREAM), times(flood, frame(CONTINUATION, 0, id, long))]),
    survives: false,
  },
  {
    name: 'empty CONTINUATION',
    frames: (id) => Buffer.concat([headers(id, trailer, END_STREAM), times(flood, frame(CONTINUATION, 0, id))]),
    survives: false,
  },
]

export function describeFloods(start: StartWorld): void {
  // Who doesn't read the answers makes them pile up.
  describe.each([{ reads: true }, { reads: false }])('a flood, from a peer that reads: $reads', ({ reads }) => {
    it.each(floods)('of $name', async ({ frames, survives, onNode20 }) => {
      await using world = await start()
      const { link, conns } = await world.open(2)
      const waits = conns.map(({ conn }) => told(conn.read()))
      const before = process.memoryUsage().rss
      if (!reads) link.socket.pause()
      link.send(frames(conns[0].id), ...conns.map(({ id }) => data(id, 'alive')))
      const expected = isNode20 && onNode20 !== undefined ? onNode20 : survives
      // Node 20 keeps the connection: see above.
      if (isNode20 && expected === false) {
        link.socket.resume()
        await givenUp(link)
      }
      const [first, second] = await Promise.all(waits)
      expect(second).toBe(first)
      expect(expected === 'either' ? ['alive', 'CONNECTION_LOST'] : [expected ? 'alive' : 'CONNECTION_LOST']).toContain(
        first,
      )
      expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024)
      link.socket.resume()
      for (const { conn } of conns) conn.abort()
      await expectService(world)
    })
  })
}

/** How a socket is cut, when what it was given has left. */
export const cuts: readonly { readonly cut: string; readonly cutAfter: (link: RawLink, last: Uint8Array) => void }[] = [
  { cut: 'FIN', cutAfter: ({ socket }, last) => void socket.end(last) },
  { cut: 'RST', cutAfter: ({ socket }, last) => void socket.write(last, () => socket.resetAndDestroy()) },
]

const places: readonly { readonly place: string; readonly part: (id: number) => Uint8Array }[] = [
  { place: 'between two frames', part: () => zeros(0) },
  { place: 'inside a frame header', part: (id) => data(id, 'lost').subarray(0, 5) },
  { place: 'after a frame header', part: (id) => data(id, 'lost').subarray(0, 9) },
  {
    place: 'inside the padding of DATA',
    part: (id) => frame(DATA, PADDED, id, Buffer.of(9, ...zeros(9))).subarray(0, 14),
  },
  { place: 'inside HEADERS', part: (id) => headers(id, trailer, 5).subarray(0, 12) },
  { place: 'before CONTINUATION', part: (id) => headers(id, trailer, END_STREAM) },
  {
    place: 'inside CONTINUATION',
    part: (id) =>
      Buffer.concat([headers(id, trailer, END_STREAM), frame(CONTINUATION, 0, id, trailer).subarray(0, 12)]),
  },
  { place: 'inside RST_STREAM', part: (id) => reset(id, 8).subarray(0, 11) },
  { place: 'inside GOAWAY', part: () => goaway(most, 0).subarray(0, 12) },
]

export function describeCuts(start: StartWorld): void {
  describe.each(cuts)('a socket cut by $cut', ({ cutAfter }) => {
    it.each(places)('$place: every wait of every stream ends with CONNECTION_LOST', async ({ part }) => {
      await using world = await start(shut)
      const { link, conns } = await world.open(2)
      link.send(data(conns[0].id, 'whole'))
      expect(await told(conns[0].conn.read())).toBe('whole')
      const waits = conns.flatMap(({ conn }) => [told(conn.read()), heldWrite(conn), ending(conn)])
      cutAfter(link, part(conns[0].id))
      expect(new Set(await Promise.all(waits))).toEqual(new Set(['CONNECTION_LOST']))
      await Promise.all(conns.map(({ conn }) => conn.close()))
      await expectService(world)
    })

    it('inside DATA: the bytes that came are read', async () => {
      await using world = await start()
      const { link, conns } = await world.open(1)
      const [{ conn, id }] = conns
      link.send(data(id, 'half').subarray(0, 11))
      expect(await told(conn.read())).toBe('ha')
      cutAfter(link, zeros(0))
      expect([await told(conn.read()), await ending(conn)]).toEqual(['CONNECTION_LOST', 'CONNECTION_LOST'])
    })
  })
}

/** Sends every byte separately. */
export async function trickle(link: RawLink, content: Uint8Array): Promise<void> {
  for (const byte of content) {
    await new Promise<unknown>((resolve) => link.socket.write(Uint8Array.of(byte), resolve))
  }
}

async function readToEnd(conn: Http2Conn): Promise<string> {
  let all = ''
  for await (const chunk of conn) {
    expect(chunk.length).toBeGreaterThan(0)
    all += Buffer.from(chunk).toString()
  }
  return all
}

export function describeTrickles(start: StartWorld): void {
  describe('a slow peer', () => {
    const body = 'one byte at a time, and nothing between'

    it('sends frames of one byte, with empty ones between', async () => {
      await using world = await start()
      const { link, conns } = await world.open()
      const [{ conn, id }] = conns
      link.send(...Array.from(body, (letter) => Buffer.concat([data(id, letter), data(id, '')])), data(id, '', true))
      expect(await readToEnd(conn)).toBe(body)
      await conn.close()
      expect(await ending(conn)).toBe('clean')
      await expectService(world)
    })

    it('sends every byte of every frame separately', async () => {
      await using world = await start()
      const { link, conns } = await world.open()
      const [{ conn, id }] = conns
      const reading = readToEnd(conn)
      await trickle(link, Buffer.concat(Array.from(body, (letter) => data(id, letter))))
      await trickle(link, headers(id, trailer, END_HEADERS | END_STREAM))
      expect(await reading).toBe(body)
      await conn.close()
      expect(await ending(conn)).toBe('clean')
    })

    it('opens its window by one byte at a time (section 6.9)', async () => {
      await using world = await start(shut)
      const { link, conns } = await world.open()
      const [{ conn, id }] = conns
      await conn.write(Buffer.from(body))
      const closeWrite = conn.closeWrite()
      let got = ''
      while (got.length < body.length) {
        link.send(windowUpdate(id, 1))
        const { payload } = await link.take(DATA)
        expect(payload.length).toBe(1)
        got += payload.toString()
      }
      expect(got).toBe(body)
      await closeWrite
      conn.abort()
    })

    it('never opens its window: an abort ends the wait, and resets the stream', async () => {
      await using world = await start(shut)
      const {
        link,
        conns: [{ conn, id }, neighbour],
      } = await world.open(2)
      const write = heldWrite(conn)
      await link.handled()
      conn.abort()
      expect([await write, await ending(conn)]).toEqual(['ABORTED', 'ABORTED'])
      const { payload } = await link.take(RST_STREAM, ({ stream }) => stream === id)
      expect(payload.readUInt32BE()).toBe(8)
      link.send(data(neighbour?.id ?? 0, 'alive'))
      expect(neighbour && (await told(neighbour.conn.read()))).toBe('alive')
      neighbour?.conn.abort()
      await expectService(world)
    })

    it('never opens its window: close() ends with CLOSE_TIMEOUT', async () => {
      await using world = await start(shut, { closeTimeout: 20 })
      const { link, conns } = await world.open()
      const [{ conn, id }] = conns
      const write = heldWrite(conn)
      expect(await told(conn.close())).toBe('CLOSE_TIMEOUT')
      expect([await write, await ending(conn)]).toEqual(['CLOSE_TIMEOUT', 'CLOSE_TIMEOUT'])
      await link.take(RST_STREAM, ({ stream }) => stream === id)
      await expectService(world)
    })

    it('never ends its half: close() resets it with NO_ERROR (section 8.1)', async () => {
      await using world = await start(undefined, { lingerTimeout: 20 })
      const { link, conns } = await world.open()
      const [{ conn, id }] = conns
      await conn.close()
      expect(await ending(conn)).toBe('clean')
      const { payload } = await link.take(RST_STREAM, ({ stream }) => stream === id)
      expect(payload.readUInt32BE()).toBe(0)
      await expectService(world)
    })
  })
}

export function describeWindows(start: StartWorld): void {
  const { streamWindow, connectionWindow } = connLimits
  const full = (id: number): Buffer => times(streamWindow / 16_384, frame(DATA, 0, id, zeros(16_384)))

  describe('a peer that fills our windows', () => {
    // RFC 9113, section 6.9.1: an error of the stream or of the connection, as the receiver likes.
    it('of a stream, and one byte more: FLOW_CONTROL_ERROR', async () => {
      await using world = await start()
      const {
        link,
        conns: [victim, neighbour],
      } = await world.open(2)
      if (neighbour === undefined) throw new Error('no neighbour')
      const near = told(neighbour.conn.read())
      link.send(full(victim.id))
      await link.handled()
      link.send(data(victim.id, 'a'), data(neighbour.id, 'alive'))
      const lost = isNode20 ? 'RESET 3' : 'CONNECTION_LOST'
      expect([await ending(victim.conn), await told(victim.conn.read())]).toEqual([lost, lost])
      expect(await near).toBe(isNode20 ? 'alive' : 'CONNECTION_LOST')
      neighbour.conn.abort()
      await expectService(world)
    })

    // golang/go#16510, hyper#2899
    it('of as many streams as the window of the connection holds, unread: one more is not stalled', async () => {
      await using world = await start()
      const { link, conns } = await world.open(connectionWindow / streamWindow + 1)
      let [sent, allowed] = [0, 65_535]
      const allow = async (size: number): Promise<void> => {
        while (allowed < sent + size) {
          allowed += (await link.take(WINDOW_UPDATE, ({ stream }) => stream === 0)).payload.readUInt32BE()
        }
        sent += size
      }
      for (const { id } of conns.slice(1)) {
        await allow(streamWindow)
        link.send(full(id))
      }
      const [{ conn, id }] = conns
      await allow('alive'.length)
      link.send(data(id, 'alive'))
      expect(await told(conn.read())).toBe('alive')
      for (const opened of conns) opened.conn.abort()
      await expectService(world)
    })
  })
}

/**
 * @param above - what happens to streams above the last one that GOAWAY names.
 * @param last - what a peer names for a stream: one of ours, so 0 where it takes none of ours.
 */
export function describeGoaway(start: StartWorld, above: string, last: (id: number) => number): void {
  describe('GOAWAY (section 6.8)', () => {
    it.each(codes.filter((code) => code !== 0))('with code %i ends every stream with CONNECTION_LOST', async (code) => {
      await using world = await start(shut)
      const { link, conns } = await world.open(2)
      const waits = conns.flatMap(({ conn }) => [told(conn.read()), heldWrite(conn), ending(conn)])
      link.send(goaway(last(conns[0].id), code))
      expect(new Set(await Promise.all(waits))).toEqual(new Set(['CONNECTION_LOST']))
      await expectService(world)
    })

    it(`without an error: streams up to the last one stay open, streams above it: ${above}`, async () => {
      await using world = await start()
      const {
        link,
        conns: [below, later],
      } = await world.open(2)
      if (later === undefined) throw new Error('no stream above')
      const read = told(later.conn.read())
      link.send(goaway(last(below.id), 0), data(below.id, 'below'), data(later.id, 'stay open'))
      expect(await read).toBe(above)
      expect(await told(below.conn.read())).toBe('below')
      link.send(data(below.id, 'still', true))
      expect(await readToEnd(below.conn)).toBe('still')
      await below.conn.close()
      expect(await ending(below.conn)).toBe('clean')
      later.conn.abort()
      await expectService(world)
    })

    it('twice, as a draining peer sends it: the streams stay open', async () => {
      await using world = await start()
      const { link, conns } = await world.open(2)
      link.send(goaway(last(most), 0))
      await link.handled()
      link.send(goaway(last(conns[1]?.id ?? 0), 0), ...conns.map(({ id }) => data(id, 'on', true)))
      expect(await Promise.all(conns.map(({ conn }) => readToEnd(conn)))).toEqual(['on', 'on'])
      await Promise.all(conns.map(({ conn }) => conn.close()))
      expect(await Promise.all(conns.map(({ conn }) => ending(conn)))).toEqual(['clean', 'clean'])
      await expectService(world)
    })
  })
}
