/** OpenTelemetry for routers and clients. The span of an opening ends with it: its channel may stay open for weeks. */
import type {
  Attributes,
  Counter,
  MeterProvider,
  MetricOptions,
  Span,
  TextMapPropagator,
  TracerProvider,
  UpDownCounter,
} from '@opentelemetry/api'
import {
  context,
  createNoopMeter,
  defaultTextMapGetter,
  defaultTextMapSetter,
  metrics,
  propagation,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'

import type { Channel } from '../core/channel.ts'
import type { DiagnosticEvents, End, OpenRequestEvent } from './diagnostics.ts'
import { ChannelError } from '../errors.ts'
import { platform } from '../runtime/clock.ts'

/** Options of `instrument`. */
export interface InstrumentOptions {
  /** Receives the spans. Default: the global provider. */
  readonly tracerProvider?: TracerProvider | undefined
  /** Receives the metrics. Default: the global provider. */
  readonly meterProvider?: MeterProvider | undefined
  /** Writes trace context into headers, and reads it. Default: the global propagator. */
  readonly propagator?: Pick<TextMapPropagator, 'inject' | 'extract'> | undefined
}

/**
 * Starts to measure every channel that this process opens from now on. docs/reference/events-metrics.md lists the
 * metrics, spans and attributes. OpenTelemetry's SDK may be started later. Channels that are opened before it are not
 * measured, which a process warning reports.
 *
 * @returns a function that stops it.
 *
 * @example
 * ```ts
 * import { instrument } from '@h2channel/channel/otel'
 * instrument()
 * ```
 */
export function instrument(options: InstrumentOptions = {}): () => void {
  const { tracerProvider = trace, meterProvider = metrics, propagator = propagation } = options
  const tracer = tracerProvider.getTracer(scope)
  let created: Meters | undefined
  // Tried again until the SDK has started: unlike a tracer, a meter from before that never does anything.
  const meters = (): Meters | undefined => {
    created ??= createMeters(meterProvider.getMeter(scope))
    return created
  }
  meters()
  let isWarned = options.tracerProvider !== undefined || options.meterProvider !== undefined
  /** The openings of the channels that wait for their clients. */
  const detached = new Set<OpenRequestEvent>()
  const pending = new WeakMap<OpenRequestEvent, { readonly span: Span; readonly began: number }>()

  /** Ends the span of an opening, and records its duration. */
  const settle = (opening: OpenRequestEvent, outcome: Attributes): void => {
    const { span, began } = pending.get(opening) ?? {}
    if (span === undefined || began === undefined) return
    pending.delete(opening)
    const duration = (platform.performance.now() - began) / 1_000
    meters()?.ends[opening.side].openings.record(duration, { ...attributesOf(opening), ...outcome })
    span.setAttributes(outcome)
    span.end()
  }

  const attach = (opening: OpenRequestEvent): void => {
    if (detached.delete(opening)) meters()?.detached.add(-1, attributesOf(opening))
  }

  const listeners: Listeners = {
    opening(opening) {
      if (!isWarned && meters() === undefined && !hasTracerProvider()) {
        isWarned = true
        process.emitWarning(
          'h2channel: instrument() was called, and no OpenTelemetry SDK is registered: ' +
            `${opening.route} is not measured. Start the SDK before channels are opened.`,
        )
      }
      const isClient = opening.side === 'client'
      const parent = isClient
        ? context.active()
        : propagator.extract(ROOT_CONTEXT, opening.headers, { ...defaultTextMapGetter, keys: Object.keys })
      const kind = isClient ? SpanKind.CLIENT : SpanKind.SERVER
      const attributes = { ...attributesOf(opening), 'network.protocol.name': 'h2channel' }
      const span = tracer.startSpan(`open ${opening.route}`, { kind, attributes }, parent)
      const spanContext = trace.setSpan(parent, span)
      if (isClient) propagator.inject(spanContext, opening.headers, defaultTextMapSetter)
      else opening.runHandler = async (handle) => context.with(spanContext, handle)
      pending.set(opening, { span, began: platform.performance.now() })
    },
    open({ opening, channel }) {
      meters()?.ends[opening.side].add(opening, channel)
      settle(opening, {})
    },
    refuse({ opening, status, error }) {
      // By OpenTelemetry's conventions for HTTP, status 4xx is an error of the client's span only.
      const isOwnError = opening.side === 'client' || status === undefined || status >= 500
      if (isOwnError) pending.get(opening)?.span.setStatus({ code: SpanStatusCode.ERROR })
      settle(opening, {
        'error.type': error instanceof ChannelError ? error.code : String(status ?? '_OTHER'),
        ...(status === undefined ? {} : { 'http.response.status_code': status }),
      })
    },
    close({ opening, channel, closed }) {
      attach(opening)
      meters()?.ends[opening.side].remove(channel, closed.clean ? {} : { 'error.type': closed.error.code })
    },
    slow({ opening }) {
      meters()?.ends[opening.side].slow.add(1, attributesOf(opening))
    },
    detach({ opening }) {
      if (detached.has(opening)) return
      detached.add(opening)
      meters()?.detached.add(1, attributesOf(opening))
    },
    resume({ opening }) {
      attach(opening)
      meters()?.resumes.add(1, attributesOf(opening))
    },
    error({ route, error }) {
      meters()?.errors.add(1, { 'http.route': route, 'error.type': nameOf(error) })
    },
  }
  // Only this package publishes on these channels, with objects of these types.
  const subscriptions = Object.entries(listeners) as [name: string, listener: (event: unknown) => void][]
  for (const [name, listener] of subscriptions) subscribe(`h2channel:${name}`, listener)
  return () => {
    for (const [name, listener] of subscriptions) unsubscribe(`h2channel:${name}`, listener)
    created?.ends.client.stop()
    created?.ends.server.stop()
  }
}

/** What `instrument` does for each event. */
type Listeners = { readonly [Name in keyof DiagnosticEvents]?: (event: DiagnosticEvents[Name]) => void }

const scope = '@h2channel/channel'

type Meter = ReturnType<MeterProvider['getMeter']>

interface Meters {
  readonly ends: Readonly<Record<End, EndMetrics>>
  readonly errors: Counter
  readonly detached: UpDownCounter
  readonly resumes: Counter
}

/** Undefined for the meter that the API has before an SDK has started. */
function createMeters(meter: Meter): Meters | undefined {
  if (meter === createNoopMeter()) return undefined
  const errors = meter.createCounter('h2channel.server.errors', {
    unit: '{error}',
    description: 'Errors of handlers and of authorize',
  })
  const detached = meter.createUpDownCounter('h2channel.server.detached_channels', {
    unit: '{channel}',
    description: 'Channels that have lost their connections, and wait for their clients',
  })
  const resumes = meter.createCounter('h2channel.server.resumes', {
    unit: '{channel}',
    description: 'Channels whose clients have returned',
  })
  const ends = { client: new EndMetrics(meter, 'client'), server: new EndMetrics(meter, 'server') }
  return { ends, errors, detached, resumes }
}

/** Whether a global tracer provider was set. */
function hasTracerProvider(): boolean {
  const provider = trace.getTracerProvider()
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer(scope) !== undefined
}

/** The channels of one route, and at the client also of one address, which are measured together. */
interface Series {
  readonly attributes: Attributes
  readonly channels: Set<Channel<unknown, unknown>>
  /** The totals of channels that have ended. */
  readonly past: Record<'sent' | 'received', { messages: number; bytes: number }>
}

class EndMetrics {
  readonly openings
  readonly slow
  readonly #durations
  readonly #series = new Map<string, Series>()
  readonly #seriesOf = new Map<Channel<unknown, unknown>, Series>()
  readonly #stop: () => void

  constructor(meter: Meter, side: End) {
    const name = (last: string): string => `h2channel.${side}.${last}`
    const about = (unit: string, description: string): MetricOptions => ({ unit, description })
    this.openings = meter.createHistogram(name('open.duration'), {
      ...about('s', 'How long it took until a channel was open, or refused'),
      advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] },
    })
    this.#durations = meter.createHistogram(name('channel.duration'), {
      ...about('s', 'How long channels that have ended were open'),
      advice: { explicitBucketBoundaries: [0.1, 1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800] },
    })
    this.slow = meter.createCounter(name('slow'), about('{send}', 'Sends that waited for slowAfter'))
    const active = meter.createObservableUpDownCounter(name('active_channels'), about('{channel}', 'Open channels'))
    const ofMessages = about('{message}', 'Messages that send has accepted, and that receive has returned')
    const messages = meter.createObservableCounter(name('messages'), ofMessages)
    const io = meter.createObservableCounter(name('io'), about('By', 'Bytes, including framing'))
    const ofBuffered = about('By', 'Bytes that wait to be sent')
    const buffered = meter.createObservableUpDownCounter(name('buffered'), ofBuffered)
    const ofTrips = about('s', 'The longest of the last round trips of open channels')
    const roundTrip = meter.createObservableGauge(name('round_trip'), ofTrips)
    const observables = [active, messages, io, buffered, roundTrip]
    const observe: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
      for (const { attributes, channels, past } of this.#series.values()) {
        const all = Array.from(channels, ({ stats }) => stats)
        result.observe(active, all.length, attributes)
        result.observe(buffered, sum(all.map(({ bufferedBytes }) => bufferedBytes)), attributes)
        for (const [direction, ioDirection] of directions) {
          const directed = { ...attributes, 'network.io.direction': ioDirection }
          const traffic = [past, ...all].map((one) => one[direction])
          result.observe(messages, sum(traffic.map((one) => one.messages)), directed)
          result.observe(io, sum(traffic.map((one) => one.bytes)), directed)
        }
        const longest = all.reduce((left, { roundTrip: trip = -1 }) => Math.max(left, trip), -1)
        if (longest >= 0) result.observe(roundTrip, longest / 1_000, attributes)
      }
    }
    meter.addBatchObservableCallback(observe, observables)
    this.#stop = () => meter.removeBatchObservableCallback(observe, observables)
  }

  add(opening: OpenRequestEvent, channel: Channel<unknown, unknown>): void {
    const key = `${opening.route} ${opening.side === 'client' ? opening.origin : ''}`
    let series = this.#series.get(key)
    if (series === undefined) {
      const past = { received: { messages: 0, bytes: 0 }, sent: { messages: 0, bytes: 0 } }
      series = { attributes: attributesOf(opening), channels: new Set(), past }
      this.#series.set(key, series)
    }
    series.channels.add(channel)
    this.#seriesOf.set(channel, series)
  }

  remove(channel: Channel<unknown, unknown>, outcome: Attributes): void {
    const series = this.#seriesOf.get(channel)
    if (series === undefined) return
    this.#seriesOf.delete(channel)
    series.channels.delete(channel)
    const { stats } = channel
    this.#durations.record(stats.age / 1_000, { ...series.attributes, ...outcome })
    for (const [direction] of directions) {
      series.past[direction].messages += stats[direction].messages
      series.past[direction].bytes += stats[direction].bytes
    }
  }

  stop(): void {
    this.#stop()
    this.#series.clear()
    this.#seriesOf.clear()
  }
}

/** The directions of a channel's traffic, and how OpenTelemetry names them. */
const directions = [
  ['sent', 'transmit'],
  ['received', 'receive'],
] as const

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** By OpenTelemetry's conventions for HTTP. A server has no address: clients may reach it by any number of names. */
function attributesOf({ side, route, origin }: OpenRequestEvent): Attributes {
  if (side === 'server') return { 'http.route': route }
  const url = new URL(origin)
  const port = Number(url.port === '' ? { 'http:': 80, 'https:': 443 }[url.protocol] : url.port)
  return { 'http.route': route, 'server.address': url.hostname, 'server.port': port }
}

/** The name of a thrown value, including an error of another realm. */
function nameOf(error: unknown): string {
  const { name } = (error ?? {}) as { readonly name?: unknown }
  return typeof name === 'string' ? name : '_OTHER'
}
