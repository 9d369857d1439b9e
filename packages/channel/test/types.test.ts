// oxlint-disable vitest/expect-expect -- the compiler checks these
import { bytes, json, msgpack, oneOf, struct, u16, u64 } from '@h2channel/codecs'
import { describe, expectTypeOf, test } from 'vitest'
import { z } from 'zod'

import type { Client, OpenArguments } from '../src/client.ts'
import type {
  ChannelClosed,
  ChannelErrorCode,
  ClientChannel,
  Framing,
  PathParams,
  Route,
  ServerChannel,
} from '../src/index.ts'
import { Channel, defineRoute, fixedLength } from '../src/index.ts'
import type { HandlerContext, Router } from '../src/server.ts'
import { channelPair } from '../src/testing.ts'

const Question = z.object({ symbols: z.array(z.string()) })
const Answer = z.object({ symbol: z.string(), price: z.number() })
type Question = z.infer<typeof Question>
type Answer = z.infer<typeof Answer>

const quotes = defineRoute('/quotes/:market/:day', { client: json(Question), server: msgpack(Answer) })
const news = defineRoute('/news', { client: json<string>(), server: oneOf(msgpack(Answer), json(Answer)) })

// What follows is checked by the compiler. Of all this, nothing is run.
declare const client: Client
declare const router: Router
const [asked, answering] = channelPair(quotes)
const unrun = (_body: () => unknown): void => {}

/** The names of a path's parameters. */
function params<Path extends string>(): (keyof PathParams<Path>)[] {
  return []
}

test('PathParams: has a string for each parameter of the path', () => {
  expectTypeOf<PathParams<'/quotes/:market'>>().toEqualTypeOf<{ readonly market: string }>()
  expectTypeOf<PathParams<'/a/:b/c/:d'>>().toEqualTypeOf<{ readonly b: string; readonly d: string }>()
  expectTypeOf<PathParams<'/:a/:b/:c'>>().toEqualTypeOf<{
    readonly a: string
    readonly b: string
    readonly c: string
  }>()
  expectTypeOf(params<'/news'>()).toEqualTypeOf<never[]>()
  expectTypeOf(params<'/'>()).toEqualTypeOf<never[]>()
  expectTypeOf(params<'/a/:b'>()).toEqualTypeOf<'b'[]>()
})

test('defineRoute: keeps the path and the messages', () => {
  expectTypeOf(quotes).toEqualTypeOf<Route<'/quotes/:market/:day', Question, Answer>>()
  expectTypeOf(news).toEqualTypeOf<Route<'/news', string, Answer>>()
  const record = defineRoute('/r', { client: struct({ a: u16, b: u64 }), server: bytes(10), framing: fixedLength(10) })
  expectTypeOf(record).toEqualTypeOf<Route<'/r', { a: number; b: bigint }, Uint8Array>>()
  expectTypeOf(record.framing).toEqualTypeOf<Framing | undefined>()
  // @ts-expect-error -- a route needs a codec for each side
  unrun(() => defineRoute('/a', { client: json() }))
  // @ts-expect-error -- a schema alone is no codec
  unrun(() => defineRoute('/a', { client: Question, server: json() }))
})

test('ClientChannel, ServerChannel: are the two ends of a route', () => {
  expectTypeOf<ClientChannel<typeof quotes>>().toEqualTypeOf<Channel<Question, Answer>>()
  expectTypeOf<ServerChannel<typeof quotes>>().toEqualTypeOf<Channel<Answer, Question>>()
  expectTypeOf<ClientChannel<typeof news>>().toEqualTypeOf<Channel<string, Answer>>()
  expectTypeOf<ServerChannel<typeof news>>().toEqualTypeOf<Channel<Answer, string>>()
  expectTypeOf<ClientChannel<string>>().toEqualTypeOf<never>()
})

describe('Channel', () => {
  test('send and receive have the types of the codecs', () => {
    expectTypeOf(asked.send).parameter(0).toEqualTypeOf<Question>()
    expectTypeOf(asked.receive).returns.resolves.toEqualTypeOf<Answer | undefined>()
    expectTypeOf(answering.send).parameter(0).toEqualTypeOf<Answer>()
    expectTypeOf(answering.receive).returns.resolves.toEqualTypeOf<Question | undefined>()
    expectTypeOf(asked.closed).resolves.toEqualTypeOf<ChannelClosed>()
    expectTypeOf(asked[Symbol.asyncIterator]()).toEqualTypeOf<AsyncIterator<Answer, undefined>>()
  })

  test('refuses another message, and knows what the peer never sends', () => {
    // @ts-expect-error -- a number where a text is expected
    unrun(() => asked.send({ symbols: [7] }))
    // @ts-expect-error -- a misspelt field
    unrun(() => asked.send({ symbol: ['SAP'] }))
    // @ts-expect-error -- what the other side sends
    unrun(() => asked.send({ symbol: 'SAP', price: 1 }))
    // @ts-expect-error -- no message
    unrun(() => asked.send())
    unrun(async () => {
      const answer = await asked.receive()
      // @ts-expect-error -- it may be the end
      answer.price.toFixed(2)
      answer?.price.toFixed(2)
      // @ts-expect-error -- a field that the server never sends
      void answer?.volume
    })
    unrun(async () => {
      for await (const answer of asked) {
        expectTypeOf(answer).toEqualTypeOf<Answer>()
        // @ts-expect-error -- a field that the server never sends
        void answer.symbols
      }
    })
  })

  test('takes its types from its codecs', () => {
    unrun(() => {
      const channel = new Channel(asked.conn, { send: json(Question), receive: msgpack(Answer) })
      expectTypeOf(channel).toEqualTypeOf<Channel<Question, Answer>>()
      // @ts-expect-error -- a signal is an AbortSignal
      void channel.receive({ signal: 1_000 })
    })
    // @ts-expect-error -- a framing is an object
    unrun(() => new Channel(asked.conn, { send: json(), receive: json(), framing: 'newline' }))
    // @ts-expect-error -- a limit that there is none
    unrun(() => new Channel(asked.conn, { send: json(), receive: json(), limits: { maxMessages: 1 } }))
  })
})

describe('open', () => {
  test('requires params exactly when the path has some', () => {
    expectTypeOf<OpenArguments<'/news'>['length']>().toEqualTypeOf<0 | 1>()
    expectTypeOf<OpenArguments<'/quotes/:market'>['length']>().toEqualTypeOf<1>()
    unrun(() => client.open(news))
    unrun(() => client.open(news, { headers: { authorization: 'x' }, signal: AbortSignal.timeout(1) }))
    unrun(() => client.open(quotes, { params: { market: 'xetra', day: 'today' } }))
    // @ts-expect-error -- two parameters are missing
    unrun(() => client.open(quotes))
    // @ts-expect-error -- one parameter is missing
    unrun(() => client.open(quotes, { params: { market: 'xetra' } }))
    // @ts-expect-error -- a misspelt parameter
    unrun(() => client.open(quotes, { params: { markt: 'xetra', day: 'today' } }))
    const text: string = 'any'
    // @ts-expect-error -- a misspelt parameter whose value is no literal
    unrun(() => client.open(quotes, { params: { markt: text, day: text } }))
    // @ts-expect-error -- a parameter more than the path has
    unrun(() => client.open(quotes, { params: { market: 'xetra', day: 'today', hour: '1' } }))
    // @ts-expect-error -- a parameter is a string
    unrun(() => client.open(quotes, { params: { market: 'xetra', day: 7 } }))
    // @ts-expect-error -- a path without parameters
    unrun(() => client.open(news, { params: { market: 'xetra' } }))
  })

  test('leaves params open where the path is not known', () => {
    const route: Route = quotes
    unrun(() => client.open(route))
    unrun(() => client.open(route, { params: { market: 'xetra' } }))
  })

  test('gives the client’s end', () => {
    unrun(async () => {
      const channel = await client.open(quotes, { params: { market: 'xetra', day: 'today' } })
      expectTypeOf(channel).toEqualTypeOf<Channel<Question, Answer>>()
    })
  })
})

describe('handle', () => {
  test('gives the handler the server’s end and the parameters', () => {
    unrun(() =>
      router.handle(quotes, async (channel, context) => {
        expectTypeOf(channel).toEqualTypeOf<Channel<Answer, Question>>()
        expectTypeOf(context).toEqualTypeOf<HandlerContext<'/quotes/:market/:day'>>()
        expectTypeOf(context.params).toEqualTypeOf<{ readonly market: string; readonly day: string }>()
        expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>()
        expectTypeOf(context.query).toEqualTypeOf<URLSearchParams>()
        // @ts-expect-error -- a misspelt parameter
        void context.params.markt
        // @ts-expect-error -- what the client sends
        await channel.send({ symbols: [] })
      }),
    )
    unrun(() => router.handle(news, () => {}).handle(quotes, async () => {}))
    // @ts-expect-error -- a handler gives nothing back
    unrun(() => router.handle(news, () => 7))
    // @ts-expect-error -- a path is no route
    unrun(() => router.handle('/news', () => {}))
  })

  test('takes a function that serves the server’s end', () => {
    const serve = async (channel: ServerChannel<typeof quotes>): Promise<void> => channel.end()
    unrun(() => router.handle(quotes, serve))
    // @ts-expect-error -- the client's end of the same route
    unrun(() => router.handle(quotes, async (channel: ClientChannel<typeof quotes>) => channel.end()))
  })
})

test('channelPair: gives both ends', () => {
  unrun(() => {
    expectTypeOf(channelPair(quotes)).toEqualTypeOf<
      [client: Channel<Question, Answer>, server: Channel<Answer, Question>]
    >()
  })
})

test('oneOf: takes codecs of the same messages alone', () => {
  expectTypeOf(news.server.decode).returns.toEqualTypeOf<Answer>()
  // @ts-expect-error -- another message
  unrun(() => oneOf(msgpack(Answer), json(Question)))
})

test('ChannelErrorCode: is a union of literals', () => {
  expectTypeOf<'PEER_STOPPED'>().toExtend<ChannelErrorCode>()
  expectTypeOf<string>().not.toExtend<ChannelErrorCode>()
})
