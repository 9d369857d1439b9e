/** What OpenTelemetry records of one conversation, and which events diagnostics_channel has for subscribers. */
import { json } from '@h2channel/codecs'
import type { Attributes } from '@opentelemetry/api'
import { context, metrics, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import type { DiagnosticEvents } from '../../src/diagnostics.ts'
import { defineRoute } from '../../src/index.ts'
import { instrument } from '../../src/otel.ts'
import { Refusal, type Router } from '../../src/server.ts'
import { serve } from '../support/server-support.ts'
import { deferred, failOnUnhandledRejections, failure, receiveAll, settled, until } from '../support/support.ts'

failOnUnhandledRejections()

const echo = defineRoute('/echo/:room', { client: json<string>(), server: json<string>() })
const at = { params: { room: 'one' } }

const contexts = new AsyncLocalStorageContextManager()
beforeEach(() => void context.setGlobalContextManager(contexts.enable()))
afterEach(() => context.disable())

/** Everything that in-memory exporters received. */
function telemetry() {
  const spans = new InMemorySpanExporter()
  const points = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter: points, exportIntervalMillis: 2 ** 30 })
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  const meterProvider = new MeterProvider({ readers: [reader] })
  const stop = instrument({ tracerProvider, meterProvider, propagator: new W3CTraceContextPropagator() })
  return {
    tracer: tracerProvider.getTracer('test'),
    stop,
    spans: () => spans.getFinishedSpans(),
    /** The names of all metrics that have values, each with the names of its attributes. */
    async attributes(): Promise<{ readonly name: string; readonly attributes: string[] }[]> {
      points.reset()
      await reader.forceFlush()
      const all = points.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
      return all.map(({ descriptor, dataPoints }) => ({
        name: descriptor.name,
        attributes: [...new Set(dataPoints.flatMap(({ attributes }) => Object.keys(attributes)))].toSorted(),
      }))
    },
    /** The values of a metric: of a histogram, how many were recorded. */
    async values(name: string): Promise<[Attributes, number][]> {
      points.reset()
      await reader.forceFlush()
      const all = points.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
      const found = all.find(({ descriptor }) => descriptor.name === name)
      return (found?.dataPoints ?? []).map(({ attributes, value }) => [
        attributes,
        typeof value === 'number' ? value : value.count,
      ])
    },
    async [Symbol.asyncDispose]() {
      stop()
      await meterProvider.shutdown()
    },
  }
}

/** The attributes that docs/reference/events-metrics.md gives a metric. */
function documented(metric: string): string[] {
  const page = readFileSync(new URL('../../../../docs/reference/events-metrics.md', import.meta.url), 'utf8')
  const [, tables = ''] = page.split('\n## Metrics\n')
  const rows = [...tables.replace(/\n## .*/s, '').matchAll(/^\| (`[^|]+`) +\| ([^|]+?) +\|/gm)]
  const [, side = '', short = ''] = /^h2channel\.(client|server)\.(.+)$/.exec(metric) ?? []
  // A table of metrics, one of attributes, and one of metrics that have an error.type.
  expect(rows.map(([, first]) => first)).toContain(`\`h2channel.server.${short}\``)
  const hasErrorType = rows.some(([, first = '']) => [`\`${side}.${short}\``, `\`…${short}\``].includes(first))
  const isOn = (on: string): boolean => {
    if (on === 'all') return true
    if (on === 'all of `client`') return side === 'client'
    if (on === 'see the next table') return hasErrorType
    return on.includes(`\`${short}\``)
  }
  const attributes = rows.filter(([, first = '', on = '']) => !first.includes('h2channel.') && isOn(on))
  return attributes.flatMap(([, first = '']) => first.replaceAll('`', '').split(', ')).toSorted()
}

describe('instrument', () => {
  test('measures one conversation, and passes its trace to the handler', async () => {
    await using observed = telemetry()
    const inHandler: (string | undefined)[] = []
    await using served = await serve((router) =>
      router.handle(echo, async (channel) => {
        inHandler.push(trace.getActiveSpan()?.spanContext().traceId)
        for await (const message of channel) await channel.send(message.repeat(2))
      }),
    )
    const span = observed.tracer.startSpan('order')
    const channel = await context.with(trace.setSpan(context.active(), span), async () =>
      served.client().open(echo, at),
    )
    span.end()
    for (const message of ['a', 'bc', 'def']) {
      await channel.send(message)
      await channel.receive()
    }
    const route = { 'http.route': '/echo/:room' }
    const { hostname, port } = new URL(served.at.origin)
    const client = { ...route, 'server.address': hostname, 'server.port': Number(port) }
    const [transmit, receive] = [{ 'network.io.direction': 'transmit' }, { 'network.io.direction': 'receive' }]

    expect(await observed.values('h2channel.client.active_channels')).toEqual([[client, 1]])
    expect(await observed.values('h2channel.server.active_channels')).toEqual([[route, 1]])
    expect(await observed.values('h2channel.client.messages')).toEqual([
      [{ ...client, ...transmit }, 3],
      [{ ...client, ...receive }, 3],
    ])
    // Each message has two quotes, and a length of four bytes.
    expect(await observed.values('h2channel.server.io')).toEqual([
      [{ ...route, ...transmit }, 12 + 3 * 6],
      [{ ...route, ...receive }, 6 + 3 * 6],
    ])
    expect(await observed.values('h2channel.server.buffered')).toEqual([[route, 0]])
    expect(await observed.values('h2channel.client.open.duration')).toEqual([[client, 1]])

    const [server, opened] = observed.spans()
    const { traceId } = span.spanContext()
    expect(inHandler).toEqual([traceId])
    expect(opened).toMatchObject({ name: 'open /echo/:room', kind: SpanKind.CLIENT, attributes: client })
    expect(server).toMatchObject({ name: 'open /echo/:room', kind: SpanKind.SERVER, attributes: route })
    expect(opened?.parentSpanContext?.spanId).toBe(span.spanContext().spanId)
    expect(server?.parentSpanContext?.spanId).toBe(opened?.spanContext().spanId)

    // The counters keep the values of a channel that has ended.
    await channel.end()
    await receiveAll(channel)
    await channel.close()
    const recorded = await observed.attributes()
    expect(recorded.length).toBeGreaterThan(10)
    const ofErrors = new Set(['error.type', 'http.response.status_code'])
    expect(recorded).toEqual(
      recorded.map(({ name }) => ({ name, attributes: documented(name).filter((one) => !ofErrors.has(one)) })),
    )
    await until(() => served.router.channels === 0)
    await settled()
    expect(await observed.values('h2channel.server.active_channels')).toEqual([[route, 0]])
    expect(await observed.values('h2channel.client.messages')).toEqual([
      [{ ...client, ...transmit }, 3],
      [{ ...client, ...receive }, 3],
    ])
    expect(await observed.values('h2channel.server.channel.duration')).toEqual([[route, 1]])
  })

  test('records refusals, errors of handlers, and channels that ended with an error', async () => {
    await using observed = telemetry()
    await using served = await serve(
      (router) =>
        router.handle(echo, () => {
          throw new TypeError('not today')
        }),
      {
        router: {
          onError: () => {},
          authorize: ({ headers }) => {
            if (headers['x-who'] === undefined) throw new Refusal(403, 'not you')
            if (headers['x-who'] === 'unknown') throw new RangeError('unknown')
          },
        },
      },
    )
    const client = served.client()
    await failure(client.open(echo, at), 'REFUSED')
    await failure(client.open(echo, { ...at, headers: { 'x-who': 'unknown' } }), 'REFUSED')
    const channel = await client.open(echo, { ...at, headers: { 'x-who': 'me' } })
    await failure(channel.receive(), 'INTERNAL')
    await until(() => served.router.channels === 0)
    await settled()
    const route = { 'http.route': '/echo/:room' }
    expect(await observed.values('h2channel.server.open.duration')).toEqual([
      [{ ...route, 'error.type': '403', 'http.response.status_code': 403 }, 1],
      [{ ...route, 'error.type': '500', 'http.response.status_code': 500 }, 1],
      [route, 1],
    ])
    expect(await observed.values('h2channel.server.errors')).toEqual([
      [{ ...route, 'error.type': 'RangeError' }, 1],
      [{ ...route, 'error.type': 'TypeError' }, 1],
    ])
    expect(await observed.values('h2channel.server.channel.duration')).toEqual([
      [{ ...route, 'error.type': 'INTERNAL' }, 1],
    ])
    const recorded = await observed.attributes()
    expect(recorded).toEqual(recorded.map(({ name }) => ({ name, attributes: documented(name) })))
    // By OpenTelemetry's conventions for HTTP, a status below 500 is an error of the client's span only.
    const failed = observed.spans().filter(({ status }) => status.code === SpanStatusCode.ERROR)
    expect(failed.map(({ kind, attributes }) => [kind, attributes['http.response.status_code']])).toEqual([
      [SpanKind.CLIENT, 403],
      [SpanKind.SERVER, 500],
      [SpanKind.CLIENT, 500],
    ])
  })

  test('measures nothing after it was stopped', async () => {
    await using observed = telemetry()
    observed.stop()
    await using served = await serve((router) =>
      router.handle(echo, async (channel) => {
        for await (const message of channel) await channel.send(message)
      }),
    )
    await (await served.client().open(echo, at)).close()
    expect(observed.spans()).toEqual([])
  })
})

describe('instrument before OpenTelemetry’s SDK', () => {
  const echoing = (router: Router): void => {
    router.handle(echo, async (channel) => {
      for await (const message of channel) await channel.send(message)
    })
  }

  /** Records the warnings of the process from now on. */
  function warnings(): { readonly all: string[]; stop(): void } {
    const all: string[] = []
    const listener = (warning: Error): void => void all.push(warning.message)
    process.on('warning', listener)
    return { all, stop: () => void process.off('warning', listener) }
  }

  afterEach(() => {
    metrics.disable()
    trace.disable()
  })

  test('measures channels that open after the SDK has started, and warns once of earlier ones', async () => {
    const warned = warnings()
    const stop = instrument()
    const points = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
    const reader = new PeriodicExportingMetricReader({ exporter: points, exportIntervalMillis: 2 ** 30 })
    const meterProvider = new MeterProvider({ readers: [reader] })
    const spans = new InMemorySpanExporter()
    await using served = await serve(echoing)
    const client = served.client()
    for (let count = 0; count < 2; count++) await (await client.open(echo, at)).close()
    const early = await client.open(echo, at)
    await until(() => warned.all.length > 0)
    metrics.setGlobalMeterProvider(meterProvider)
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }))
    const channel = await client.open(echo, at)
    await channel.send('hello')
    expect(await channel.receive()).toBe('hello')
    await reader.forceFlush()
    const all = points.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
    const active = all.find(({ descriptor }) => descriptor.name === 'h2channel.server.active_channels')
    expect(active?.dataPoints.map(({ value }) => value)).toEqual([1])
    expect(spans.getFinishedSpans().map(({ name }) => name)).toEqual(['open /echo/:room', 'open /echo/:room'])
    await channel.close()
    await early.close()
    stop()
    await meterProvider.shutdown()
    warned.stop()
    expect(warned.all).toEqual([
      expect.stringContaining('no OpenTelemetry SDK is registered: /echo/:room is not measured'),
    ])
  })

  test.each(['tracers', 'meters', 'nothing opened', 'its own providers'])('does not warn with %s', async (what) => {
    const warned = warnings()
    const meterProvider = new MeterProvider()
    if (what === 'meters') metrics.setGlobalMeterProvider(meterProvider)
    if (what === 'tracers') trace.setGlobalTracerProvider(new BasicTracerProvider())
    const stop = instrument(what === 'its own providers' ? { meterProvider } : {})
    await using served = await serve(echoing)
    if (what !== 'nothing opened') await (await served.client().open(echo, at)).close()
    stop()
    await (await served.client().open(echo, at)).close()
    await settled()
    warned.stop()
    await meterProvider.shutdown()
    expect(warned.all).toEqual([])
  })
})

describe('diagnostics_channel', () => {
  test('publishes the events in order', async () => {
    const told: [string, object][] = []
    const names = ['opening', 'open', 'refuse', 'close', 'drain', 'slow', 'error'] as const
    const listeners = names.map((name: keyof DiagnosticEvents) => {
      const listener = (event: unknown): void => void told.push([name, event as object])
      subscribe(`h2channel:${name}`, listener)
      return () => unsubscribe(`h2channel:${name}`, listener)
    })
    const opened = deferred()
    await using served = await serve((router) =>
      router.handle(
        echo,
        async (channel) => {
          await opened.promise
          for (;;) await channel.send('x'.repeat(100_000))
        },
        { limits: { slowAfter: 10 }, onSlow: () => 'close' },
      ),
    )
    const client = served.client({ retry: { maxAttempts: 1 } })
    const channel = await client.open(echo, at)
    opened.resolve()
    await until(() => served.router.channels === 0)
    channel.abort()
    await channel.closed
    await served.router.drain({ timeout: 5 })
    await failure(client.open(echo, at), 'REFUSED')
    for (const stop of listeners) stop()
    const sides = told.map(([name, event]) => {
      const opening = 'opening' in event ? (event.opening as DiagnosticEvents['opening']) : event
      return 'side' in opening ? `${name} ${String(opening.side)}` : name
    })
    expect(sides).toEqual([
      'opening client',
      'opening server',
      'open server',
      'open client',
      'slow server',
      'close server',
      'close client',
      'drain',
      'opening client',
      'opening server',
      'refuse server',
      'refuse client',
    ])
    expect(told[4]?.[1]).toMatchObject({ answer: 'close' })
    expect(told[7]?.[1]).toEqual({ channels: 0, timeout: 5 })
    expect(told[10]?.[1]).toMatchObject({ status: 503 })
    expect(told[11]?.[1]).toMatchObject({ status: 503, error: { code: 'REFUSED' } })
  })
})
