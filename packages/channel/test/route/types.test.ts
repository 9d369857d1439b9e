// oxlint-disable vitest/expect-expect -- the compiler checks these
/** What compiles and, right below it, similar code that must not: `pnpm types` fails where either changes. */
import type { Codec } from '@h2channel/codecs'
import { array, bytes, choice, f32, json, msgpack, oneOf, struct, u16, u64 } from '@h2channel/codecs'
import { describe, expectTypeOf, test } from 'vitest'
import { z } from 'zod'

import type { CallArguments, ClientOptions, ClientEvent, OpenArguments, OpenOptions } from '../../src/client.ts'
import { createClient } from '../../src/client.ts'
import type {
  ChannelClosed,
  ChannelErrorCode,
  ClientChannel,
  Framing,
  OnInvalid,
  PathParams,
  Route,
  ServerChannel,
  WaitOptions,
} from '../../src/index.ts'
import { Channel, ChannelError, defineRoute, fixedLength, newlineDelimited } from '../../src/index.ts'
import type { Handler, HandlerContext, Router } from '../../src/server.ts'
import { createRouter } from '../../src/server.ts'
import { channelPair } from '../../src/testing.ts'

const Question = z.object({ symbols: z.array(z.string()) })
const Answer = z.object({ symbol: z.string(), price: z.number() })
type Question = z.infer<typeof Question>
type Answer = z.infer<typeof Answer>

const date = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (value) => value.toISOString(),
})
const News = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('headline'), title: z.string() }),
  z.object({ kind: z.literal('pause'), until: date }),
])
type News = { kind: 'headline'; title: string } | { kind: 'pause'; until: Date }

const quotes = defineRoute('/quotes/:market/:day', { client: json(Question), server: msgpack(Answer) })
const news = defineRoute('/news', { client: json<string>(), server: oneOf(msgpack(News), json(News)) })
const flights = defineRoute('/flights', {
  client: struct({ id: u64, side: choice('left', 'right'), at: { x: f32 }, stops: array(u16, 2) }),
  server: bytes(10),
})
type Flight = { id: bigint; side: 'left' | 'right'; at: { x: number }; stops: number[] }

// Only the compiler checks the rest: nothing connects or serves.
const client = createClient('http://localhost')
const router = createRouter()
const [asked, answering] = channelPair(quotes)
const [listening, telling] = channelPair(news)
const [flying, landing] = channelPair(flights)
const question: Question = { symbols: ['SAP'] }
const answer: Answer = { symbol: 'SAP', price: 1 }
const flight: Flight = { id: 1n, side: 'left', at: { x: 1 }, stops: [1, 2] }
const day = { market: 'xetra', day: 'today' }
const unrun = (_body: (...given: never[]) => unknown): void => {}

/** The names of the parameters of a path. */
function names<Path extends string>(): (keyof PathParams<Path>)[] {
  return []
}

describe('routes', () => {
  test('defineRoute: keeps the path and the messages of both sides', () => {
    expectTypeOf(quotes).toEqualTypeOf<Route<'/quotes/:market/:day', Question, Answer>>()
    // @ts-expect-error -- the two sides are not the same
    unrun((): Route<string, Answer, Question> => quotes)

    expectTypeOf(news).toEqualTypeOf<Route<'/news', string, News>>()
    // @ts-expect-error -- not all news are headlines
    unrun((): Route<'/news', string, Extract<News, { kind: 'headline' }>> => news)

    expectTypeOf(flights).toEqualTypeOf<Route<'/flights', Flight, Uint8Array>>()
    // @ts-expect-error -- a u64 is a bigint
    unrun((): Route<'/flights', Omit<Flight, 'id'> & { id: number }, Uint8Array> => flights)

    expectTypeOf(quotes.path).toEqualTypeOf<'/quotes/:market/:day'>()
    // @ts-expect-error -- the path of another route
    unrun(() => quotes.path === '/quotes/:market')
  })

  test('defineRoute: accepts a codec for each side', () => {
    expectTypeOf(defineRoute('/a', { client: json(Question), server: json(Answer) }).server).toEqualTypeOf<
      Codec<Answer>
    >()
    // @ts-expect-error -- nothing says what the server sends
    unrun(() => defineRoute('/a', { client: json(Question) }))

    expectTypeOf(quotes.client).toEqualTypeOf<Codec<Question>>()
    // @ts-expect-error -- a schema alone is no codec
    unrun(() => defineRoute('/a', { client: Question, server: json() }))

    expectTypeOf(defineRoute<'/a', Question, Answer>).returns.toEqualTypeOf<Route<'/a', Question, Answer>>()
    // @ts-expect-error -- the messages that were asked for are others
    unrun(() => defineRoute<'/a', Question, Answer>('/a', { client: json(Question), server: json(Question) }))
  })

  test('defineRoute: accepts a framing', () => {
    expectTypeOf(
      defineRoute('/r', { client: json(), server: json(), framing: newlineDelimited() }).framing,
    ).toEqualTypeOf<Framing | undefined>()
    // @ts-expect-error -- a framing is an object
    unrun(() => defineRoute('/r', { client: json(), server: json(), framing: 'newline-delimited' }))

    expectTypeOf(fixedLength).returns.toEqualTypeOf<Framing>()
    // @ts-expect-error -- the size of what?
    unrun(() => defineRoute('/r', { client: bytes(4), server: bytes(4), framing: fixedLength() }))
  })

  test('Route: is the type of any route', () => {
    expectTypeOf(quotes).toExtend<Route>()
    // @ts-expect-error -- any route is not this one
    unrun((any: Route): typeof quotes => any)

    expectTypeOf<Route['client']>().toEqualTypeOf<Codec<unknown>>()
    // @ts-expect-error -- a route is not changed once it is there
    unrun((any: Route) => (any.client = json()))
  })
})

describe('parameters from the path', () => {
  test('PathParams: has a string for each', () => {
    expectTypeOf<PathParams<'/quotes/:market'>>().toEqualTypeOf<{ readonly market: string }>()
    // @ts-expect-error -- the parameter is missing
    unrun((): PathParams<'/quotes/:market'> => ({}))

    expectTypeOf<PathParams<'/a/:b/c/:d'>>().toEqualTypeOf<{ readonly b: string; readonly d: string }>()
    // @ts-expect-error -- c is no parameter
    unrun((): PathParams<'/a/:b/c/:d'> => ({ b: '', c: '', d: '' }))

    expectTypeOf<PathParams<'/:a/:b/:c'>>().toEqualTypeOf<{
      readonly a: string
      readonly b: string
      readonly c: string
    }>()
    // @ts-expect-error -- one of three is missing
    unrun((): PathParams<'/:a/:b/:c'> => ({ a: '', c: '' }))

    expectTypeOf(names<'/a/:b'>()).toEqualTypeOf<'b'[]>()
    // @ts-expect-error -- a is no parameter
    unrun(() => names<'/a/:b'>().includes('a'))

    expectTypeOf(names<'/news'>()).toEqualTypeOf<never[]>()
    // @ts-expect-error -- a path without parameters
    unrun(() => names<'/news'>().includes('news'))
  })

  test('open: requires them exactly when the path has some', () => {
    expectTypeOf<OpenArguments<'/quotes/:market'>['length']>().toEqualTypeOf<1>()
    // @ts-expect-error -- two parameters are missing
    unrun(() => client.open(quotes))

    expectTypeOf<OpenArguments<'/news'>['length']>().toEqualTypeOf<0 | 1>()
    unrun(() => [client.open(news), client.open(news, { headers: { authorization: 'x' } })])
    // @ts-expect-error -- a path without parameters
    unrun(() => client.open(news, { params: { market: 'xetra' } }))

    expectTypeOf<OpenArguments<'/:a/:b'>[0]['params']>().toEqualTypeOf<{ readonly a: string; readonly b: string }>()
    // @ts-expect-error -- one parameter is missing
    unrun(() => client.open(quotes, { params: { market: 'xetra' } }))

    expectTypeOf(client.open<'/quotes/:market/:day', Question, Answer>).toBeCallableWith(quotes, { params: day })
    // @ts-expect-error -- a misspelt parameter
    unrun(() => client.open(quotes, { params: { markt: 'xetra', day: 'today' } }))

    const text: string = 'any'
    unrun(() => client.open(quotes, { params: { market: text, day: text } }))
    // @ts-expect-error -- a misspelt parameter whose value is no literal
    unrun(() => client.open(quotes, { params: { markt: text, day: text } }))

    unrun(() => client.open(quotes, { params: day, signal: AbortSignal.timeout(1) }))
    // @ts-expect-error -- a parameter more than the path has
    unrun(() => client.open(quotes, { params: { market: 'xetra', day: 'today', hour: '1' } }))

    unrun(() => client.open(quotes, { params: { market: 'xetra', day: String(7) } }))
    // @ts-expect-error -- a parameter is a string
    unrun(() => client.open(quotes, { params: { market: 'xetra', day: 7 } }))
  })

  test('call and initial: take the messages of the client, and call gives that of the server', () => {
    expectTypeOf<CallArguments<'/quotes/:market'>['length']>().toEqualTypeOf<1>()
    unrun(async () => {
      expectTypeOf(await client.call(quotes, question, { params: day })).toEqualTypeOf<Answer>()
    })
    // @ts-expect-error -- the parameters are missing
    unrun(() => client.call(quotes, question))

    unrun(() => client.call(news, 'what', { signal: AbortSignal.timeout(1) }))
    // @ts-expect-error -- a message of the server
    unrun(() => client.call(quotes, answer, { params: day }))
    // @ts-expect-error -- the message of a call is no list of initial messages
    unrun(() => client.call(news, 'what', { initial: ['more'] }))

    unrun(() => client.open(quotes, { params: day, initial: [question] }))
    // @ts-expect-error -- a message of the server
    unrun(() => client.open(quotes, { params: day, initial: [answer] }))

    // Options without messages fit every route.
    unrun((options: OpenOptions) => client.open(news, options))
  })

  test('answer: takes a message of the client, and returns one of the server', () => {
    unrun(() =>
      router.answer(quotes, async (message, { params }) => {
        expectTypeOf(message).toEqualTypeOf<Question>()
        expectTypeOf(params).toEqualTypeOf<{ readonly market: string; readonly day: string }>()
        return answer
      }),
    )
    unrun(() => router.answer(quotes, () => answer))
    // @ts-expect-error -- a message of the client
    unrun(() => router.answer(quotes, () => question))
    // @ts-expect-error -- no reply
    unrun(() => router.answer(quotes, () => {}))
    // @ts-expect-error -- a reply that may be missing
    unrun((found: Map<string, Answer>) => router.answer(quotes, ({ symbols }) => found.get(symbols.join())))
    // @ts-expect-error -- the same, later
    unrun((found: Map<string, Answer>) => router.answer(quotes, async ({ symbols }) => found.get(symbols.join())))
    // @ts-expect-error -- undefined is no message of the server
    unrun(() => router.answer(quotes, () => undefined))
    // @ts-expect-error -- neither is null
    unrun(() => router.answer(quotes, () => null))
    // @ts-expect-error -- it takes other messages than the client's
    unrun(() => router.answer(quotes, (_message: Question & { readonly more: string }) => answer))
    unrun((nullable: Route<'/a', string, string | null>) => router.answer(nullable, () => null))
  })

  test('open: leaves them open where the path is not known', () => {
    expectTypeOf<OpenArguments<string>['length']>().toEqualTypeOf<0 | 1>()
    unrun((route: Route) => [client.open(route), client.open(route, { params: { market: 'xetra' } })])
    // @ts-expect-error -- a parameter is a string there too
    unrun((route: Route) => client.open(route, { params: { market: 7 } }))
  })

  test('handle: gives them to the handler and to onInvalid', () => {
    unrun(() =>
      router.handle(quotes, (_channel, { params }) => {
        expectTypeOf(params).toEqualTypeOf<{ readonly market: string; readonly day: string }>()
        // @ts-expect-error -- a misspelt parameter
        void params.markt
      }),
    )

    unrun(() =>
      router.handle(quotes, (_channel, context) => {
        expectTypeOf(context).toEqualTypeOf<HandlerContext<'/quotes/:market/:day'>>()
        // @ts-expect-error -- the request says what they are
        context.params.market = 'nyse'
      }),
    )

    unrun(() =>
      router.handle(quotes, () => {}, {
        onInvalid(_error, { params }) {
          expectTypeOf(params.day).toEqualTypeOf<string>()
          // @ts-expect-error -- a misspelt parameter
          return params.dya === 'today' ? 'skip' : 'close'
        },
      }),
    )
  })
})

describe('both directions', () => {
  test('ClientChannel, ServerChannel: are the two ends of a route, each the other way round', () => {
    expectTypeOf<ClientChannel<typeof quotes>>().toEqualTypeOf<Channel<Question, Answer>>()
    // @ts-expect-error -- the server's end
    unrun((): ClientChannel<typeof quotes> => answering)

    expectTypeOf<ServerChannel<typeof quotes>>().toEqualTypeOf<Channel<Answer, Question>>()
    // @ts-expect-error -- the client's end
    unrun((): ServerChannel<typeof quotes> => asked)

    expectTypeOf<ServerChannel<typeof news>>().toEqualTypeOf<Channel<News, string>>()
    // @ts-expect-error -- an end of another route
    unrun((): ServerChannel<typeof news> => answering)

    expectTypeOf<ClientChannel<string>>().toEqualTypeOf<never>()
    // @ts-expect-error -- a path is no route
    unrun((): ClientChannel<'/news'> => listening)
  })

  test('Channel: is assignable where fewer messages are sent and more kinds are expected', () => {
    const sendsText = (channel: Channel<string, unknown>): Promise<void> => channel.send('text')
    const sendsBoth = (channel: Channel<string | number, unknown>): Promise<void> => channel.send(1)
    unrun((wide: Channel<string | number, string>) => sendsText(wide))
    // @ts-expect-error -- it would be sent numbers
    unrun((narrow: Channel<string, string>) => sendsBoth(narrow))

    const receives = (channel: Channel<never, string | number>): unknown => channel.receive()
    unrun((one: Channel<Answer, string>) => receives(one))
    // @ts-expect-error -- it receives messages of an unknown kind
    unrun((other: Channel<Answer, string | boolean>) => receives(other))
  })

  test('open, handle, channelPair: give the end of their side', () => {
    expectTypeOf(client.open<'/news', string, News>).returns.resolves.toEqualTypeOf<ClientChannel<typeof news>>()
    // @ts-expect-error -- the server's end
    unrun(async (): Promise<ServerChannel<typeof news>> => client.open(news))

    unrun(() =>
      router.handle(quotes, (channel) => {
        expectTypeOf(channel).toEqualTypeOf<Channel<Answer, Question>>()
        // @ts-expect-error -- what the client sends
        return channel.send(question)
      }),
    )

    const serve = async (channel: ServerChannel<typeof quotes>): Promise<void> => channel.end()
    expectTypeOf(serve).toExtend<Handler<'/quotes/:market/:day', Question, Answer>>()
    // @ts-expect-error -- a handler for the client's end of the same route
    unrun(() => router.handle(quotes, async (channel: ClientChannel<typeof quotes>) => channel.end()))

    expectTypeOf(channelPair(quotes)).toEqualTypeOf<
      [client: Channel<Question, Answer>, server: Channel<Answer, Question>]
    >()
    // @ts-expect-error -- the client's end comes first
    unrun((): [ServerChannel<typeof quotes>, ClientChannel<typeof quotes>] => channelPair(quotes))
  })

  test('new Channel: has the messages of its codecs', () => {
    unrun(() => {
      const made = new Channel(asked.conn, { send: json(Question), receive: msgpack(Answer) })
      expectTypeOf(made).toEqualTypeOf<Channel<Question, Answer>>()
      // @ts-expect-error -- the codecs are the other way round
      return made satisfies Channel<Answer, Question>
    })
  })

  test('send: accepts the messages of this side', () => {
    expectTypeOf(asked.send).parameter(0).toEqualTypeOf<Question>()
    // @ts-expect-error -- a message of the other side
    unrun(() => asked.send(answer))

    expectTypeOf(answering.send).parameter(0).toEqualTypeOf<Answer>()
    // @ts-expect-error -- a message of the other side
    unrun(() => answering.send(question))

    unrun(() => asked.send({ symbols: ['SAP'] }))
    // @ts-expect-error -- a number where a text is expected
    unrun(() => asked.send({ symbols: [7] }))

    unrun(() => answering.send({ symbol: 'SAP', price: 1 }))
    // @ts-expect-error -- a misspelt field
    unrun(() => answering.send({ symbl: 'SAP', price: 1 }))

    expectTypeOf(telling.send).toBeCallableWith({ kind: 'headline', title: 'none' })
    // @ts-expect-error -- the field of another kind
    unrun(() => telling.send({ kind: 'pause', title: 'none' }))

    expectTypeOf(asked.send).parameter(1).toEqualTypeOf<WaitOptions | undefined>()
    // @ts-expect-error -- no message
    unrun(() => asked.send())

    expectTypeOf(asked.sendAll).parameter(0).toEqualTypeOf<Iterable<Question>>()
    // @ts-expect-error -- one of them is a message of the other side
    unrun(() => asked.sendAll([question, answer]))

    unrun(() => asked.sendAll(new Set([question])))
    // @ts-expect-error -- one message, and no iterable of them
    unrun(() => asked.sendAll(question))
  })

  test('receive, for await: return the messages of the peer', () => {
    expectTypeOf(asked.receive).returns.resolves.toEqualTypeOf<Answer | undefined>()
    // @ts-expect-error -- it may be undefined, for the end
    unrun(async () => (await asked.receive()).price)

    expectTypeOf(answering.receive).returns.resolves.toEqualTypeOf<Question | undefined>()
    // @ts-expect-error -- a field of what this side sends
    unrun(async () => (await answering.receive())?.price)

    unrun(async () => {
      for await (const received of asked) {
        expectTypeOf(received).toEqualTypeOf<Answer>()
        // @ts-expect-error -- a field of what this side sends
        void received.symbols
      }
    })

    expectTypeOf(answering[Symbol.asyncIterator]()).toEqualTypeOf<AsyncIterableIterator<Question, undefined>>()
    // @ts-expect-error -- answers are what this side sends
    unrun((): AsyncIterable<Answer> => answering)

    expectTypeOf(answering.batches()).toEqualTypeOf<AsyncIterable<Question[]>>()
    // @ts-expect-error -- many messages at a time
    unrun((): AsyncIterable<Question> => answering.batches())

    unrun(async () => {
      for await (const told of listening) {
        if (told.kind === 'pause') expectTypeOf(told.until).toEqualTypeOf<Date>()
        // @ts-expect-error -- of a kind that was not looked at
        void told.title
      }
    })
  })

  test('codecs of all kinds: their messages are what is sent and received', () => {
    expectTypeOf(telling.send).toBeCallableWith({ kind: 'pause', until: new Date(0) })
    // @ts-expect-error -- a date in its form on the wire
    unrun(() => telling.send({ kind: 'pause', until: '1970-01-01T00:00:00.000Z' }))

    expectTypeOf(flying.send).toBeCallableWith({ ...flight, side: 'right' })
    // @ts-expect-error -- no such side
    unrun(() => flying.send({ ...flight, side: 'middle' }))

    expectTypeOf(landing.receive).returns.resolves.toEqualTypeOf<Flight | undefined>()
    // @ts-expect-error -- a bigint and a number
    unrun(async () => ((await landing.receive())?.id ?? 0n) + 1)

    expectTypeOf(landing.send).parameter(0).toEqualTypeOf<Uint8Array>()
    // @ts-expect-error -- text is no bytes
    unrun(() => landing.send('0123456789'))

    expectTypeOf(flying.receive).returns.resolves.toEqualTypeOf<Uint8Array | undefined>()
    // @ts-expect-error -- a Uint8Array is no Buffer
    unrun(async () => (await flying.receive())?.readUInt8(0))
  })

  test('closed, ChannelError: say how it ended', () => {
    expectTypeOf(asked.closed).resolves.toEqualTypeOf<ChannelClosed>()
    // @ts-expect-error -- there is no error where it ended cleanly
    unrun(async () => (await asked.closed).error)

    expectTypeOf<'PEER_STOPPED'>().toExtend<ChannelErrorCode>()
    // @ts-expect-error -- a misspelt code
    unrun((error: ChannelError) => error.code === 'PEER_STOPED')

    expectTypeOf<string>().not.toExtend<ChannelErrorCode>()
    // @ts-expect-error -- any text is no code
    unrun((code: string) => new ChannelError(code, 'why'))
  })
})

describe('oneOf', () => {
  test('accepts only codecs of the same messages', () => {
    expectTypeOf(news.server.decode).returns.toEqualTypeOf<News>()
    // @ts-expect-error -- another message
    unrun(() => defineRoute('/a', { client: json(), server: oneOf(msgpack(Answer), json(Question)) }))

    expectTypeOf(oneOf(struct({ price: f32 }), json<{ price: number }>())).toEqualTypeOf<Codec<{ price: number }>>()
    // @ts-expect-error -- a record without one of the fields
    unrun(() => defineRoute('/a', { client: json(), server: oneOf(json(Answer), struct({ price: f32 })) }))
  })
})

describe('options', () => {
  test('onInvalid: answers at once with one of two words', () => {
    expectTypeOf<ReturnType<OnInvalid>>().toEqualTypeOf<'close' | 'skip'>()
    // @ts-expect-error -- there is no such answer
    unrun(() => client.open(news, { onInvalid: () => 'drop' }))

    expectTypeOf<NonNullable<OpenOptions['onInvalid']>>().toEqualTypeOf<OnInvalid>()
    // @ts-expect-error -- an answer that comes later
    unrun(() => client.open(news, { onInvalid: async () => 'skip' }))

    unrun(() => router.handle(news, () => {}, { onInvalid: ({ side }) => (side === 'remote' ? 'skip' : 'close') }))
    // @ts-expect-error -- an error and no answer
    unrun(() => router.handle(news, () => {}, { onInvalid: (error) => void error.code }))

    unrun(
      () =>
        new Channel(asked.conn, {
          send: json(),
          receive: json(Answer),
          onInvalid: (error) => {
            expectTypeOf(error).toEqualTypeOf<ChannelError>()
            // @ts-expect-error -- the issues are those of its cause
            return error.issues.length > 1 ? 'close' : 'skip'
          },
        }),
    )
  })

  test('handle: its handler knows the request', () => {
    unrun(() =>
      router.handle(news, (_channel, context) => {
        expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>()
        // @ts-expect-error -- the end of the channel aborts it
        context.signal.abort()
      }),
    )

    unrun(() =>
      router.handle(news, (_channel, { query }) => {
        expectTypeOf(query).toEqualTypeOf<URLSearchParams>()
        // @ts-expect-error -- a query parameter is read by `get`
        void query.day
      }),
    )
  })

  test('handle: accepts a route, and a handler that returns nothing', () => {
    expectTypeOf(router.handle<'/news', string, News>).returns.toEqualTypeOf<Router>()
    // @ts-expect-error -- a path is no route
    unrun(() => router.handle('/news', () => {}))

    unrun(() => router.handle(news, async () => {}))
    // @ts-expect-error -- its result would be lost
    unrun(() => router.handle(news, () => 7))
  })

  test('signals, limits, framings: have their types', () => {
    unrun(() => asked.receive({ signal: AbortSignal.timeout(1_000) }))
    // @ts-expect-error -- a signal is an AbortSignal
    unrun(() => asked.receive({ signal: 1_000 }))

    unrun(() => createClient('http://localhost', { limits: { maxMessageBytes: 1 } }))
    // @ts-expect-error -- an unknown limit
    unrun(() => createClient('http://localhost', { limits: { maxMessages: 1 } }))

    unrun(() => createClient(['http://a', new URL('http://b')] as const, { retry: { maxAttempts: 1 } }))
    // @ts-expect-error -- an address is a URL
    unrun(() => createClient([{ host: 'a' }]))
    // @ts-expect-error -- the option is `attempts`
    unrun(() => createClient('http://localhost', { retry: { retries: 1 } }))

    unrun(() => new Channel(asked.conn, { send: json(), receive: json(), framing: newlineDelimited() }))
    // @ts-expect-error -- a framing is an object
    unrun(() => new Channel(asked.conn, { send: json(), receive: json(), framing: 'newline' }))

    unrun(() => new Channel(asked.conn, { send: json(), receive: json(), control: true }))
    // @ts-expect-error -- without a codec nothing can be received
    unrun(() => new Channel(asked.conn, { send: json() }))
  })

  test('createClient, createRouter: accept functions', () => {
    unrun(() => createClient('http://localhost', { headers: async () => ({ authorization: 'x' }) }))
    // @ts-expect-error -- a header is a name and a value
    unrun((): ClientOptions => ({ headers: 'authorization: x' }))

    unrun((event: ClientEvent) => {
      if (event.type === 'retry') expectTypeOf(event.error).toEqualTypeOf<ChannelError>()
      if (event.type === 'fail') expectTypeOf(event.error).toEqualTypeOf<unknown>()
      // @ts-expect-error -- no path: an address serves all routes
      if (event.type === 'available') expectTypeOf(event.path).toEqualTypeOf<string>()
    })

    unrun(() => createRouter({ onError: (error) => expectTypeOf(error).toEqualTypeOf<unknown>() }))
    // @ts-expect-error -- a handler may throw anything
    unrun(() => createRouter({ onError: (error) => error.message }))
  })
})
