/**
 * The rules of SPEC.md for media types: the codecs of both sides in every order, variants of headers, and layouts that
 * differ. Expectations are written here or derived from SPEC.md, never from the sources.
 */
import type { Codec } from '@h2channel/codecs'
import {
  array,
  bool,
  bytes,
  choice,
  f32,
  i16,
  json,
  msgpack,
  oneOf,
  raw,
  struct,
  text,
  u16,
  u32,
  u8,
} from '@h2channel/codecs'
import type { Http2Conn } from '@h2channel/conn'
import type { OutgoingHttpHeaders } from 'node:http2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { Client } from '../../src/client.ts'
import type { Route } from '../../src/index.ts'
import { defineRoute, fixedLength, newlineDelimited } from '../../src/index.ts'
import type { Served } from '../support/server-support.ts'
import { bareSession, serve } from '../support/server-support.ts'
import { bytesOf, concat, failOnUnhandledRejections, failure, hexOf, utf8 } from '../support/support.ts'

failOnUnhandledRejections()

interface Message {
  id: number
  ok: boolean
}
type MessageRoute = Route<string, Message, Message>
type Name = 'json' | 'msgpack' | 'struct'
type Order = readonly [Name, ...Name[]]

const message: Message = { id: 7, ok: true }
const record = struct({ id: u16, ok: bool })
const codecs: Record<Name, Codec<Message>> = { json: json(), msgpack: msgpack(), struct: record }

const vnd = 'application/vnd.h2channel'
const J = `${vnd}+json`
const L = 'application/x-ndjson'
const M = `${vnd}+msgpack`
const S = `${vnd}+struct; layout="id:u16,ok:bool"`
const octets = 'application/octet-stream'
const O = `${octets}; layout="id:u16,ok:bool"`

/** The media types of a codec, length prefixes first. */
const typesOf: Record<Name, readonly [string, ...string[]]> = { json: [J, L], msgpack: [M], struct: [S, O] }

/** The bytes of `message` in each media type, by SPEC.md. */
const wireOf: Record<string, Uint8Array> = {
  [J]: concat([bytesOf('00 00 00 12'), utf8('{"id":7,"ok":true}')]),
  [L]: utf8('{"id":7,"ok":true}\n'),
  [M]: bytesOf('00 00 00 09 82 a2 69 64 07 a2 6f 6b c3'),
  [S]: bytesOf('00 00 00 03 00 07 01'),
  [O]: bytesOf('00 07 01'),
}

/** Every selection of the three codecs, in every order. */
const orders: readonly Order[] = (
  [
    ['json', 'msgpack', 'struct'],
    ['msgpack', 'json', 'struct'],
    ['struct', 'json', 'msgpack'],
  ] as const
).flatMap(([a, b, c]): Order[] => [[a], [a, b], [a, c], [a, b, c], [a, c, b]])

interface Pair {
  readonly ours: Order
  readonly theirs: Order
}
const pairs: readonly Pair[] = orders.flatMap((ours) => orders.map((theirs) => ({ ours, theirs })))

const list = (order: Order): string => order.flatMap((name) => typesOf[name]).join(', ')
const meeting = ({ ours, theirs }: Pair): string => `${ours.join(', ')} at a route of ${theirs.join(', ')}`

/** The codec that a client sends, if the route accepts it: always its first. */
const sentBy = ({ ours: [first], theirs }: Pair): Name | undefined => theirs.find((name) => name === first)

/** The codec that the server sends: of those in `accept`, all with one quality, the first one that it has. */
const answeredTo = ({ ours, theirs }: Pair): Name | undefined => ours.find((name) => theirs.includes(name))

type End = 'client' | 'server'

/** What each end wrote and read, in order. */
const used: string[] = []

function codecOf(end: End, [first, ...rest]: Order): Codec<Message> {
  const watched = (name: Name): Codec<Message> => ({
    ...codecs[name],
    encode(value, out) {
      used.push(`${end} writes ${name}`)
      codecs[name].encode(value, out)
    },
    decode(received) {
      used.push(`${end} reads ${name}`)
      return codecs[name].decode(received)
    },
  })
  return oneOf(watched(first), ...rest.map(watched))
}

/** The route whose server has the codecs `theirs`, as an end with the codecs `order` defines it. */
function both(theirs: Order, end: End, order: Order): MessageRoute {
  return defineRoute(`/both/${theirs.join('-')}`, { client: codecOf(end, order), server: codecOf(end, order) })
}

/** A route on which only the server has several codecs. The client sends JSON. */
function answers(theirs: Order, end: End, order: Order): MessageRoute {
  return defineRoute(`/answers/${theirs.join('-')}`, { client: codecOf(end, ['json']), server: codecOf(end, order) })
}

const one = { client: codecs.json, server: codecs.json }
const three = oneOf(codecs.msgpack, codecs.json, codecs.struct)
const routes = {
  json: defineRoute('/json', one),
  struct: defineRoute('/struct', { client: record, server: record }),
  several: defineRoute('/several', { client: three, server: three }),
  lines: defineRoute('/lines', { ...one, framing: newlineDelimited() }),
  records: defineRoute('/records', { client: record, server: record, framing: fixedLength(3) }),
} satisfies Record<string, MessageRoute>

const fields = Array.from({ length: 40 }, (_, index) => [`field${index}`, u8] as const)
const longText = fields.map(([name]) => `${name}:u8`).join(',')

/** Layouts of a client and of a route, and their media types. */
const layouts: readonly (readonly [what: string, Codec<unknown>, string, Codec<unknown>, string])[] = [
  ['a field more', struct({ id: u16, ok: bool }), 'layout="id:u16,ok:bool"', struct({ id: u16 }), 'layout="id:u16"'],
  ['another type of the same size', struct({ id: u16 }), 'layout="id:u16"', struct({ id: i16 }), 'layout="id:i16"'],
  ['another name', struct({ price: u32 }), 'layout="price:u32"', struct({ volume: u32 }), 'layout="volume:u32"'],
  ['a name in other letters', struct({ iD: u16 }), 'layout="iD:u16"', struct({ id: u16 }), 'layout="id:u16"'],
  ['another order', struct({ a: u8, b: u8 }), 'layout="a:u8,b:u8"', struct({ b: u8, a: u8 }), 'layout="b:u8,a:u8"'],
  [
    'little-endian numbers where the route’s are big-endian',
    struct({ id: u16 }, { endian: 'little' }),
    'layout="id:u16"; endian=little',
    struct({ id: u16 }),
    'layout="id:u16"',
  ],
  [
    'big-endian numbers where the route’s are little-endian',
    struct({ id: u16 }),
    'layout="id:u16"',
    struct({ id: u16 }, { endian: 'little' }),
    'layout="id:u16"; endian=little',
  ],
  [
    'another field in a nested layout',
    struct({ id: u8, at: { x: f32, y: f32 } }),
    'layout="id:u8,at:{x:f32,y:f32}"',
    struct({ id: u8, at: { x: f32, z: f32 } }),
    'layout="id:u8,at:{x:f32,z:f32}"',
  ],
  [
    'a nested layout where the route has none',
    struct({ at: { x: f32 } }),
    'layout="at:{x:f32}"',
    struct({ x: f32 }),
    'layout="x:f32"',
  ],
  [
    'an array of as many bytes',
    struct({ grid: array(array(u8, 2), 3) }),
    'layout="grid:u8[2][3]"',
    struct({ grid: array(array(u8, 3), 2) }),
    'layout="grid:u8[3][2]"',
  ],
  [
    'a choice with another name',
    struct({ side: choice('buy', 'sell') }),
    'layout="side:choice(buy|sell)"',
    struct({ side: choice('buy', 'hold') }),
    'layout="side:choice(buy|hold)"',
  ],
  [
    'a choice in another order',
    struct({ side: choice('buy', 'sell') }),
    'layout="side:choice(buy|sell)"',
    struct({ side: choice('sell', 'buy') }),
    'layout="side:choice(sell|buy)"',
  ],
  ['text for bytes', struct({ id: text(4) }), 'layout="id:text(4)"', struct({ id: raw(4) }), 'layout="id:raw(4)"'],
  [
    'all of these deep within',
    struct({ orders: array({ side: choice('a', 'b'), at: { x: f32, tags: array(text(2), 2) } }, 3) }),
    'layout="orders:{side:choice(a|b),at:{x:f32,tags:text(2)[2]}}[3]"',
    struct({ orders: array({ side: choice('a', 'b'), at: { x: f32, tags: array(text(4), 2) } }, 3) }),
    'layout="orders:{side:choice(a|b),at:{x:f32,tags:text(4)[2]}}[3]"',
  ],
  [
    'another last field of many',
    struct({ ...Object.fromEntries(fields), last: u8 }),
    `layout="${longText},last:u8"`,
    struct({ ...Object.fromEntries(fields), end: u8 }),
    `layout="${longText},end:u8"`,
  ],
]

let served: Served
let client: Client
let session: ReturnType<typeof bareSession>

beforeAll(async () => {
  served = await serve((router) => {
    const byOrder = orders.flatMap((order) => [both(order, 'server', order), answers(order, 'server', order)])
    for (const route of [...byOrder, ...Object.values<MessageRoute>(routes)]) {
      router.handle(route, async (channel) => {
        for await (const received of channel) await channel.send(received)
      })
    }
    for (const [index, [, , , theirs]] of layouts.entries()) {
      router.handle(defineRoute(`/layout/${index}`, { client: theirs, server: theirs }), () => {})
      router.handle(defineRoute(`/layout/answer/${index}`, { client: json(), server: theirs }), () => {})
    }
    router.handle(defineRoute('/bytes', { client: bytes(4), server: bytes(4) }), () => {})
    router.handle(defineRoute('/bytes/answer', { client: json(), server: bytes(4) }), () => {})
  })
  client = served.client()
  session = bareSession(served.at)
})

afterAll(async () => {
  await session[Symbol.asyncDispose]()
  await served[Symbol.asyncDispose]()
})

/** Sends a message, receives it back, and returns the media type of the answer. */
async function exchange(route: MessageRoute): Promise<string | undefined> {
  used.length = 0
  const channel = await client.open(route)
  await channel.send(message)
  expect(await channel.receive()).toEqual(message)
  await channel.end()
  expect(await channel.receive()).toBeUndefined()
  expect(await channel.closed).toEqual({ clean: true })
  return (channel.conn as Http2Conn).headers['content-type']
}

/** The message of the error of a route that can't be opened. */
async function refusal(route: Route, status: 406 | 415): Promise<string> {
  const error = await failure(client.open(route), 'UNSUPPORTED_CODEC')
  expect(error).toMatchObject({ side: 'remote', fatal: true, cause: { response: { status } } })
  expect(error.message).toContain(`${route.path} was refused with status ${status}: `)
  return error.message
}

/** The answer to a request, as far as SPEC.md defines it. */
interface Told {
  readonly status: number | undefined
  /** For a channel: the format of the server's messages. */
  readonly sends?: string | undefined
  /** For 415: the formats that the route accepts. */
  readonly takes?: string | undefined
  /** For a channel: its bytes. */
  readonly bytes?: string
  /** For a rejection: its text. */
  readonly words?: string
}

/** Sends a request without this package, with `message` in `format`. */
async function ask(path: string, headers: OutgoingHttpHeaders, format: string): Promise<Told> {
  const answer = await session.ask({ ':path': path, ...headers }, wireOf[format] ?? utf8('this is not read'))
  const { status, headers: told, body } = answer
  if (status === 200) return { status, sends: told['content-type'], bytes: hexOf(body) }
  expect(told['content-type']).toBe('text/plain; charset=utf-8')
  return { status, takes: told.accept, words: body.toString() }
}

/** The answer with a channel, on which `message` comes back in this format. */
const opened = (format: string): Told => ({
  status: 200,
  sends: format,
  bytes: hexOf(wireOf[format] ?? new Uint8Array(0)),
})

/** The rejection of a format that the client sends or accepts. It lists the formats of the route. */
const refused = (status: 406 | 415, has: string): unknown => ({
  status,
  takes: status === 415 ? has : undefined,
  words: expect.stringContaining(` ${has}\n`),
})

test('there are fifteen orders of three codecs', () => {
  expect(new Set(orders.map(String)).size).toBe(15)
  expect(pairs).toHaveLength(225)
})

describe('open: the codecs of both ends, in every order', () => {
  const accepted = pairs.flatMap((pair) => {
    const [sent, answered] = [sentBy(pair), answeredTo(pair)]
    return sent === undefined || answered === undefined ? [] : [[meeting(pair), sent, answered, pair] as const]
  })
  const others = pairs.flatMap((pair) => (sentBy(pair) === undefined ? [[meeting(pair), pair] as const] : []))

  test.each(accepted)('a client of %s sends %s and receives %s', async (_what, sent, answered, { ours, theirs }) => {
    expect(await exchange(both(theirs, 'client', ours))).toBe(typesOf[answered][0])
    expect(used).toEqual([
      `client writes ${sent}`,
      `server reads ${sent}`,
      `server writes ${answered}`,
      `client reads ${answered}`,
    ])
  })

  test.each(others)('a client of %s is rejected with 415', async (_what, { ours, theirs }) => {
    const said = await refusal(both(theirs, 'client', ours), 415)
    expect(said).toContain(`: ${typesOf[ours[0]][0]} is not one of ${list(theirs)}`)
  })
})

describe('open: the codecs of what the server sends, in every order', () => {
  const accepted = pairs.flatMap((pair) => {
    const answered = answeredTo(pair)
    return answered === undefined ? [] : [[meeting(pair), answered, pair] as const]
  })
  const others = pairs.flatMap((pair) => (answeredTo(pair) === undefined ? [[meeting(pair), pair] as const] : []))

  test.each(accepted)('a client that accepts %s receives %s', async (_what, answered, { ours, theirs }) => {
    expect(await exchange(answers(theirs, 'client', ours))).toBe(typesOf[answered][0])
    expect(used).toEqual([
      'client writes json',
      'server reads json',
      `server writes ${answered}`,
      `client reads ${answered}`,
    ])
  })

  test.each(others)('a client that accepts %s is rejected with 406', async (_what, { ours, theirs }) => {
    const said = await refusal(answers(theirs, 'client', ours), 406)
    expect(said).toContain(`: ${list(ours)} matches none of ${list(theirs)}`)
  })
})

describe('a request whose headers are present, missing or wrong, for the codecs of both ends in every order', () => {
  const states = ['there', 'left out', 'wrong'] as const
  const table = pairs.map((pair) => [meeting(pair), pair] as const)

  test.each(table)('%s: both headers in all three ways', async (_what, { ours, theirs }) => {
    const path = `/both/${theirs.join('-')}`
    const cases = states.flatMap((contentType) => states.map((accept) => ({ contentType, accept })))
    const got = await Promise.all(
      cases.map(async ({ contentType, accept }) => {
        const headers: OutgoingHttpHeaders = {}
        if (contentType !== 'left out')
          headers['content-type'] = contentType === 'there' ? typesOf[ours[0]][0] : 'text/html'
        if (accept !== 'left out') headers.accept = accept === 'there' ? list(ours) : 'text/html'
        return [contentType, accept, await ask(path, headers, String(headers['content-type']))]
      }),
    )
    const expected = cases.map(({ contentType, accept }) => {
      const pair = { ours, theirs }
      const sent = contentType === 'there' ? sentBy(pair) : undefined
      // Without `accept`, the answer has the format of the request.
      const answered = { there: answeredTo(pair), 'left out': sent, wrong: undefined }[accept]
      if (sent === undefined) return [contentType, accept, refused(415, list(theirs))]
      if (answered === undefined) return [contentType, accept, refused(406, list(theirs))]
      return [contentType, accept, opened(typesOf[answered][0])]
    })
    expect(got).toEqual(expected)
  })
})

type Kind = 'json' | 'struct' | 'several'
const kinds: readonly Kind[] = ['json', 'struct', 'several']

/** The formats of each route, as a rejection lists them. */
const has: Record<Kind, string> = {
  json: `${J}, ${L}`,
  struct: `${S}, ${O}`,
  several: `${M}, ${J}, ${L}, ${S}, ${O}`,
}

/** Stands for the format of the request. */
const free = 'free'
/** Stands for that format too, or for the first with prefixes where that is JSON with prefixes. */
const freeButJson = 'free but JSON'
const choiceOf: Record<Kind, Record<string, string>> = {
  json: { [J]: J, [L]: L },
  struct: { [S]: S, [O]: O },
  several: { [M]: M, [J]: J, [S]: S, [L]: L, [O]: O },
}

/** In the order of `kinds`. */
type OfKinds<T> = readonly [json: T, struct: T, several: T]
/** A value of `content-type`, and the format that each route finds for it. */
type ContentTypeRow = readonly [what: string, value: string | undefined, ...OfKinds<string | 415>]
/** A value of `accept`, and the format in which each route sends then. */
type AcceptRow = readonly [what: string, value: string | string[] | undefined, ...OfKinds<string | 406>]

const otherLayout = `${vnd}+struct; layout="ok:bool,id:u16"`
const otherOctets = `${octets}; layout="ok:bool,id:u16"`

/*                                    json  struct  several */
const contentTypes: readonly ContentTypeRow[] = [
  ['of JSON', J, J, 415, J],
  ['of lines', L, L, 415, L],
  ['of the record', S, 415, S, S],
  ['of octets with a layout', O, 415, O, O],
  ['of octets alone', octets, 415, 415, 415],
  ['left out', undefined, 415, 415, 415],
  ['of another kind', 'text/html', 415, 415, 415],
  ['of JSON with a parameter', `${J}; version=2`, 415, 415, 415],
  ['of another layout', otherLayout, 415, 415, 415],
  ['of octets with another layout', otherOctets, 415, 415, 415],
  ['malformed', ';;="', 415, 415, 415],
]
const accepts: readonly AcceptRow[] = [
  ['of JSON', J, J, 406, J],
  ['of the record', S, 406, S, S],
  ['left out', undefined, free, free, free],
  ['of anything', '*/*', free, free, free],
  ['of any application', 'application/*', free, free, free],
  ['of another kind', 'text/html', 406, 406, 406],
  ['malformed', ';;="', 406, 406, 406],
  ['of JSON with q=0', `${J};q=0`, 406, 406, 406],
  ['of anything but JSON with prefixes', `*/*, ${J};q=0`, L, free, freeButJson],
  ['of JSON, but rather lines', `${J};q=0.5, ${L};q=0.9`, L, 406, L],
  ['of JSON and the record, JSON first', `${J}, ${S}`, J, S, J],
  ['of another layout', otherLayout, 406, 406, 406],
]

/** Further values of `content-type`. The client accepts anything. */
const moreContentTypes: readonly ContentTypeRow[] = [
  ['of MessagePack', M, 415, 415, M],
  ['in other letters', J.toUpperCase(), J, 415, J],
  ['with a charset', `${L};charset="UTF-8"`, L, 415, L],
  ['with another charset', `${L};charset=latin1`, 415, 415, 415],
  ['with a parameter twice', `${S};layout="id:u16,ok:bool"`, 415, 415, 415],
  ['of octets with a size', `${octets}; size=3`, 415, 415, 415],
  ['with a name and spaces in another way', `${vnd}+struct;LAYOUT="id:u16,ok:bool"`, 415, S, S],
  ['with a layout in other letters', `${vnd}+struct; layout="ID:u16,ok:bool"`, 415, 415, 415],
  ['without a layout', `${vnd}+struct`, 415, 415, 415],
  ['of another order of bytes', `${S}; endian=little`, 415, 415, 415],
  ['of JSON under its own name', 'application/json', 415, 415, 415],
  ['of a range', '*/*', 415, 415, 415],
  ['of two types', `${J}, ${L}`, 415, 415, 415],
  ['without a slash', 'json', 415, 415, 415],
  ['empty', '', 415, 415, 415],
]

/** Further values of `accept`. The client sends the first format of the route. */
const moreAccepts: readonly AcceptRow[] = [
  ['empty', '', 406, 406, 406],
  ['without a slash', 'json', 406, 406, 406],
  ['malformed, and JSON', `;;="", ${J}`, J, 406, J],
  ['of a quality that is not a number', `${J};q=high`, 406, 406, 406],
  ['of nothing at all', '*/*;q=0', 406, 406, 406],
  ['of no application but JSON', `application/*;q=0, ${J}`, J, 406, J],
  ['of JSON, or anything', `${J}, */*;q=0.1`, J, free, J],
  ['of anything, JSON among it', `*/*, ${J}`, J, free, J],
  ['of anything rather than JSON with prefixes', `${J};q=0.5, */*`, L, free, free],
  ['of three qualities', `${M};q=0.1, ${L};q=0.2, ${S};q=0.9`, L, S, S],
  ['of lines and JSON alike, lines first', `${L}, ${J}`, L, 406, L],
  ['of lines and JSON alike, JSON first', `${J}, ${L}`, J, 406, J],
  ['of MessagePack and the record alike, MessagePack first', `${M}, ${S}`, 406, S, M],
  ['of the record and MessagePack alike, the record first', `${S}, ${M}`, 406, S, S],
  ['on two lines', [`${L};q=0.5`, J], J, 406, J],
  ['in other letters', J.toUpperCase(), J, 406, J],
  ['with a charset and a quality', `${L}; charset=utf-8;q=0.9, ${J};q=0.1`, L, 406, L],
  ['of JSON with a parameter', `${J}; version=2`, 406, 406, 406],
  ['of a layout in other letters', `${vnd}+struct; layout="ID:u16,ok:bool"`, 406, 406, 406],
  ['without a layout', `${vnd}+struct`, 406, 406, 406],
  ['of another order of bytes', `${S}; endian=little`, 406, 406, 406],
  ['of octets with the layout', O, 406, O, O],
  ['of octets alone', octets, 406, 406, 406],
  ['with another charset', `${L};charset=latin1`, 406, 406, 406],
  ['with parameters after the quality', `${L};q=0.5;a=b, ${J};q=0.1`, L, 406, L],
  ['of octets and the record alike, octets first', `${O}, ${S}`, 406, O, O],
  ['of octets, or else the record', `${S};q=0.5, ${O}`, 406, O, O],
  ['of another layout, prefixed or not', `${otherLayout}, ${otherOctets}`, 406, 406, 406],
  ['of another layout, prefixed or not, or else anything', `${otherLayout}, ${otherOctets}, */*;q=0.1`, free, S, free],
]

interface RequestRow {
  readonly path: string
  readonly headers: OutgoingHttpHeaders
  /** The format of the messages of the request. */
  readonly format: string
  readonly expected: unknown
}

/** The answer for two headers: `content-type` is checked first. */
function requestRow(kind: Kind, contentTypeRow: ContentTypeRow, acceptRow: AcceptRow): readonly [string, RequestRow] {
  const [sending, contentType, ...taken] = contentTypeRow
  const [taking, accept, ...given] = acceptRow
  const column = kinds.indexOf(kind)
  const takes = taken[column] ?? 415
  const named = given[column] ?? 406
  const own = choiceOf[kind][takes] ?? ''
  const gives = named === free ? own : named === freeButJson ? own.replace(J, M) : named
  const headers: OutgoingHttpHeaders = {}
  if (contentType !== undefined) headers['content-type'] = contentType
  if (accept !== undefined) headers.accept = accept
  const what = `a route of ${kind}, content-type ${sending}, accept ${taking}: `
  const row = { path: `/${kind}`, headers, format: String(takes) }
  if (takes === 415) return [`${what}415`, { ...row, expected: refused(415, has[kind]) }]
  if (gives === 406) return [`${what}406`, { ...row, expected: refused(406, has[kind]) }]
  return [`${what}${gives}`, { ...row, expected: opened(gives) }]
}

const anything: AcceptRow = ['of anything', '*/*', free, free, free]
/** The first format of each route. */
const firsts: Record<Kind, ContentTypeRow> = {
  json: ['of JSON', J, J, 415, J],
  struct: ['of the record', S, 415, S, S],
  several: ['of MessagePack', M, 415, 415, M],
}

describe('a request with every content-type and every accept (OPEN-3, OPEN-4)', () => {
  const table = kinds.flatMap((kind) =>
    contentTypes.flatMap((contentType) => accepts.map((accept) => requestRow(kind, contentType, accept))),
  )

  test.each(table)('%s', async (_what, { path, headers, format, expected }) => {
    expect(await ask(path, headers, format)).toEqual(expected)
  })
})

describe('a request with a content-type or an accept in other ways', () => {
  const table = kinds.flatMap((kind) => [
    ...moreContentTypes.map((contentType) => requestRow(kind, contentType, anything)),
    ...moreAccepts.map((accept) => requestRow(kind, firsts[kind], accept)),
  ])

  test.each(table)('%s', async (_what, { path, headers, format, expected }) => {
    expect(await ask(path, headers, format)).toEqual(expected)
  })
})

describe('a route with a framing', () => {
  test.each([
    ['lines', L, J],
    ['records', O, S],
  ] as const)('of %s has it both ways, and the other where a client wants that', async (name, own, other) => {
    expect(await exchange(routes[name])).toBe(own)
    expect(await ask(`/${name}`, { 'content-type': own }, own)).toEqual(opened(own))
    expect(await ask(`/${name}`, { 'content-type': own, accept: '*/*' }, own)).toEqual(opened(own))
    expect(await ask(`/${name}`, { 'content-type': other }, other)).toEqual(opened(other))
    expect(await ask(`/${name}`, { 'content-type': other, accept: own }, other)).toEqual(opened(own))
  })
})

/** The media type of the same records without prefixes. */
const octetsOf = (type: string): string => type.replace(/^[^;]+/, octets)

/** A value that the client sent, of which 200 characters are repeated. The formats of the route are shown whole. */
const shown = (named: string): string => (named.length > 200 ? `${named.slice(0, 199)}…` : named)

describe('a layout that differs from the layout of the route: the rejection shows both', () => {
  const table = layouts.map(([what, ours, says, , theySay], index) => {
    return [what, { index, ours, says: `${vnd}+struct; ${says}`, theySay: `${vnd}+struct; ${theySay}` }] as const
  })

  test.each(table)('sent by a client: %s', async (_what, { index, ours, says, theySay }) => {
    const path = `/layout/${index}`
    const said = await refusal(defineRoute(path, { client: ours, server: ours }), 415)
    const offered = `${theySay}, ${octetsOf(theySay)}`
    expect(said).toBe(`${path} was refused with status 415: ${shown(says)} is not one of ${offered}`)
    expect(await ask(path, { 'content-type': says }, '')).toEqual({
      status: 415,
      takes: offered,
      words: `${shown(says)} is not one of ${offered}\n`,
    })
  })

  test.each(table)('accepted by a client: %s', async (_what, { index, ours, says, theySay }) => {
    const path = `/layout/answer/${index}`
    const said = await refusal(defineRoute(path, { client: json(), server: ours }), 406)
    const offered = `${theySay}, ${octetsOf(theySay)}`
    const listed = `${says}, ${octetsOf(says)}`
    expect(said).toBe(`${path} was refused with status 406: ${shown(listed)} matches none of ${offered}`)
    for (const accept of [says, octetsOf(says), listed]) {
      expect(await ask(path, { 'content-type': J, accept }, '')).toEqual({
        status: 406,
        takes: undefined,
        words: `${shown(accept)} matches none of ${offered}\n`,
      })
    }
  })

  test('bytes of any size, where the route has bytes of one size', async () => {
    const [any, four] = [`${vnd}+bytes`, `${vnd}+bytes; size=4, ${octets}; size=4`]
    const sent = await refusal(defineRoute('/bytes', { client: bytes(), server: bytes() }), 415)
    expect(sent).toContain(`: ${any} is not one of ${four}`)
    const taken = await refusal(defineRoute('/bytes/answer', { client: json(), server: bytes() }), 406)
    expect(taken).toContain(`: ${any} matches none of ${four}`)
  })
})
