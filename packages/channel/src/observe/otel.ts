/**
 * OpenTelemetry for routers and clients: metrics of channels, a span for the opening of each channel, and the client's
 * trace context for the handler. The span does not last as long as the channel, which may be weeks. It needs
 * `@opentelemetry/api`.
 */
import type { Attributes, Counter, MeterProvider, Span, TextMapPropagator, TracerProvider } from '@opentelemetry/api'
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

import type { ChannelStats } from '../core/channel-types.ts'
import type { Channel } from '../core/channel.ts'
import type {
  CloseEvent,
  DiagnosticEvents,
  End,
  ErrorEvent,
  OpenEvent,
  OpenRequestEvent,
  RefuseEvent,
  SlowEvent,
} from './diagnostics.ts'
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
 * Starts to measure every channel that this process opens from now on. docs/observing.md lists the metrics, spans and
 * attributes. OpenTelemetry's SDK may be started later. Channels that are opened before it are not measured, which a
 * process warning reports.
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
  const pending = new WeakMap<OpenRequestEvent, Pending>()

  const onOpening = (opening: OpenRequestEvent): void => {
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
  }

  const onOpen = ({ opening, channel }: OpenEvent): void => {
    meters()?.ends[opening.side].add(opening, channel)
    settle(opening, {})
  }

  /** By OpenTelemetry's conventions for HTTP, status 4xx is an error of the client's span only. */
  const onRefuse = ({ opening, status, error }: RefuseEvent): void => {
    const isOwnError = opening.side === 'client' || status === undefined || status >= 500
    if (isOwnError) pending.get(opening)?.span.setStatus({ code: SpanStatusCode.ERROR })
    settle(opening, {
      'error.type': error instanceof ChannelError ? error.code : String(status ?? '_OTHER'),
      ...(status === undefined ? {} : { 'http.response.status_code': status }),
    })
  }

  /** Ends the span of an opening, and records its duration. */
  const settle = (opening: OpenRequestEvent, outcome: Attributes): void => {
    const { span, began } = pending.get(opening) ?? {}
    if (span === undefined || began === undefined) return
    pending.delete(opening)
    meters()?.ends[opening.side].openings.record((platform.performance.now() - began) / 1_000, {
      ...attributesOf(opening),
      ...outcome,
    })
    span.setAttributes(outcome)
    span.end()
  }

  const onClose = ({ opening, channel, closed }: CloseEvent): void => {
    meters()?.ends[opening.side].remove(channel, closed.clean ? {} : { 'error.type': closed.error.code })
  }
  const onSlow = ({ opening }: SlowEvent): void => meters()?.ends[opening.side].slow.add(1, attributesOf(opening))
  const onError = ({ route, error }: ErrorEvent): void => {
    meters()?.errors.add(1, { 'http.route': route, 'error.type': nameOf(error) })
  }

  const unsubscribers = [
    listen('opening', onOpening),
    listen('open', onOpen),
    listen('refuse', onRefuse),
    listen('close', onClose),
    listen('slow', onSlow),
    listen('error', onError),
  ]
  return () => {
    for (const stopListening of unsubscribers) stopListening()
    created?.ends.client.stop()
    created?.ends.server.stop()
  }
}

const scope = '@h2channel/channel'

/** An opening that is not settled yet. */
interface Pending {
  readonly span: Span
  readonly began: number
}

type Meter = ReturnType<MeterProvider['getMeter']>

/** Every metric. */
interface Meters {
  readonly ends: Readonly<Record<End, EndMetrics>>
  readonly errors: Counter
}

/** Undefined for the meter that the API has before an SDK has started. */
function createMeters(meter: Meter): Meters | undefined {
  if (meter === createNoopMeter()) return undefined
  const errors = meter.createCounter('h2channel.server.errors', {
    unit: '{error}',
    description: 'Errors of handlers and of authorize',
  })
  return { ends: { client: new EndMetrics(meter, 'client'), server: new EndMetrics(meter, 'server') }, errors }
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
  readonly past: { received: Totals; sent: Totals }
}

interface Totals {
  messages: number
  bytes: number
}

/** The metrics of one end. */
class EndMetrics {
  readonly openings
  readonly slow
  readonly #durations
  readonly #series = new Map<string, Series>()
  readonly #seriesOf = new Map<Channel<unknown, unknown>, Series>()
  readonly #stop: () => void

  constructor(meter: Meter, side: End) {
    const name = (last: string): string => `h2channel.${side}.${last}`
    const boundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
    this.openings = meter.createHistogram(name('open.duration'), {
      unit: 's',
      description: 'How long it took until a channel was open, or refused',
      advice: { explicitBucketBoundaries: boundaries },
    })
    this.#durations = meter.createHistogram(name('channel.duration'), {
      unit: 's',
      description: 'How long channels that have ended were open',
      advice: { explicitBucketBoundaries: [0.1, 1, 10, 60, 600, 3_600, 21_600, 86_400, 604_800] },
    })
    this.slow = meter.createCounter(name('slow'), { unit: '{send}', description: 'Sends that waited for slowAfter' })
    const active = meter.createObservableUpDownCounter(name('active_channels'), {
      unit: '{channel}',
      description: 'Open channels',
    })
    const messages = meter.createObservableCounter(name('messages'), {
      unit: '{message}',
      description: 'Messages that send has accepted, and that receive has returned',
    })
    const io = meter.createObservableCounter(name('io'), {
      unit: 'By',
      description: 'Bytes, including framing',
    })
    const buffered = meter.createObservableUpDownCounter(name('buffered'), {
      unit: 'By',
      description: 'Bytes that wait to be sent',
    })
    const roundTrip = meter.createObservableGauge(name('round_trip'), {
      unit: 's',
      description: 'The longest of the last round trips of open channels',
    })
    const observables = [active, messages, io, buffered, roundTrip]
    const observe: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
      for (const { attributes, channels, past } of this.#series.values()) {
        const all = Array.from(channels, ({ stats }) => stats)
        result.observe(active, all.length, attributes)
        result.observe(
          buffered,
          sum(all, ({ bufferedBytes }) => bufferedBytes),
          attributes,
        )
        for (const direction of ['sent', 'received'] as const) {
          const directed = { ...attributes, 'network.io.direction': direction === 'sent' ? 'transmit' : 'receive' }
          result.observe(messages, past[direction].messages + sum(all, (one) => one[direction].messages), directed)
          result.observe(io, past[direction].bytes + sum(all, (one) => one[direction].bytes), directed)
        }
        const trips = all.map((one) => one.roundTrip ?? -1)
        const longest = trips.reduce((left, right) => Math.max(left, right), -1)
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
    for (const direction of ['sent', 'received'] as const) {
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

function sum(all: readonly ChannelStats[], of: (stats: ChannelStats) => number): number {
  return all.reduce((total, stats) => total + of(stats), 0)
}

/**
 * By OpenTelemetry's conventions for HTTP. A server has no address: clients may reach it by any number of names.
 */
function attributesOf({ side, route, origin }: OpenRequestEvent): Attributes {
  if (side === 'server') return { 'http.route': route }
  const url = new URL(origin)
  const port = Number(url.port === '' ? { 'http:': 80, 'https:': 443 }[url.protocol] : url.port)
  return { 'http.route': route, 'server.address': url.hostname, 'server.port': port }
}

function listen<Name extends keyof DiagnosticEvents>(
  name: Name,
  listener: (event: DiagnosticEvents[Name]) => void,
): () => void {
  // Only this package publishes on these channels, with an object of this type.
  const onEvent = (event: unknown): void => listener(event as DiagnosticEvents[Name])
  subscribe(`h2channel:${name}`, onEvent)
  return () => {
    unsubscribe(`h2channel:${name}`, onEvent)
  }
}

/** The name of a thrown value, including an error of another realm. */
function nameOf(error: unknown): string {
  const { name } = (error ?? {}) as { readonly name?: unknown }
  return typeof name === 'string' ? name : '_OTHER'
}
