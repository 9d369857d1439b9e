import type { Conn } from '@h2channel/conn'
import type { Transport, TransportEvents } from '@h2channel/conn/web'
import { ConnError } from '@h2channel/conn/web'

import type { HeartbeatTimes } from '../core/heartbeat.ts'
import type { Clock } from '../runtime/clock.ts'
import { later, setDeadline } from '../runtime/clock.ts'
import type { CarrierEvents } from './carrier.ts'
import { Carrier } from './carrier.ts'
import { Inbox } from './inbox.ts'
import type { CarriedLink, LinkHost, LinkParts } from './link-parts.ts'
import { Outbox } from './outbox.ts'
import { ResetCode, rstCodeOf } from './records.ts'

/**
 * The states of a link. Each but the last has a carrier, or has none and waits for the next:
 *
 *     open ──destroy(null)──▶ leaving ──the peer knows──▶ over
 *      │                         └──timeout──────────────▶ over
 *      ├──both halves delivered, or the peer is leaving──▶ settled ──the peer knows, or timeout──▶ over
 *      └──destroy(error), reset by the peer, against the rules, timeout──▶ over
 *
 * In `leaving` this side has finished, and has asked the peer to stop. In `settled` the conn has closed already, but
 * the peer may not know yet that all has arrived.
 */
type State = 'open' | 'leaving' | 'settled' | 'over'

/**
 * A stream of bytes that outlives the conns which carry it: its carriers. It keeps what the peer has not acknowledged,
 * and sends that again on the next carrier. As a transport it is the lower half of a `StreamConn`.
 */
export class Link implements Transport, CarrierEvents, CarriedLink {
  /** What is written was copied before the call returns. */
  readonly hidesBytes = true

  /** How many carriers it has had. */
  carriers = 0

  readonly #clock: Clock
  /** How long it may be without a carrier. Unit: milliseconds. */
  readonly timeout: number
  readonly #times: HeartbeatTimes
  readonly #host: LinkHost
  readonly #outbox: Outbox
  readonly #inbox: Inbox
  #events: TransportEvents = silent
  #state: State = 'open'
  #carrier: Carrier | undefined
  /** Ends the link that has no carrier. */
  #deadline: { cancel(): void } | undefined
  #flowing = false
  /** What did not fit into the window. */
  #rest: { readonly bytes: Uint8Array; at: number } | undefined
  /** To be called when the last write has ended. */
  #done: ((isReleased: boolean) => void) | undefined
  /** How far the end of this side's half has come. */
  #ending: 'no' | 'asked' | 'queued' | 'finished' = 'no'
  #hasReportedEnd = false
  /** What the host knows of `held`. */
  #reportedHeld = 0

  constructor({ window, peerWindow, timeout, heartbeat, clock, host }: LinkParts) {
    this.#clock = clock
    this.timeout = timeout
    this.#times = heartbeat
    this.#host = host
    this.#outbox = new Outbox(peerWindow)
    this.#inbox = new Inbox(window)
  }

  /** How far whole records have arrived: what the peer learns when a carrier begins. */
  get received(): number {
    return this.#inbox.received
  }

  /** Memory that it holds for both directions, but for the last write, while that waits for room. Unit: bytes. */
  get held(): number {
    return this.#outbox.held + this.#inbox.held
  }

  /** Whether a request with this offset was made before one that has continued the link. */
  isOutdated(received: number): boolean {
    return this.#outbox.isOutdated(received)
  }

  get isAttached(): boolean {
    return this.#carrier !== undefined
  }

  get isOver(): boolean {
    return this.#state === 'over'
  }

  /** How long a ping over the carrier took. Unit: milliseconds. */
  get roundTrip(): number | undefined {
    return this.#carrier?.roundTrip
  }

  // Carriers.

  /**
   * Continues over `conn`, which belongs to the link from now on. An older carrier is dropped. Call {@link detach}
   * before the peer learns how far this side has received: what arrives afterwards would be sent again.
   *
   * @param received - how far the peer has received.
   */
  attach(conn: Conn, received: number): void {
    this.detach(new ConnError('ABORTED', 'another carrier took over'))
    if (this.#state === 'over') {
      conn.abort()
      return
    }
    try {
      this.#outbox.rewind(received)
    } catch (error) {
      this.#carrier = new Carrier(conn, this, this.#clock, this.#times)
      this.onCarrierError(error)
      return
    }
    this.#deadline?.cancel()
    this.#deadline = undefined
    this.carriers += 1
    this.#carrier = new Carrier(conn, this, this.#clock, this.#times)
    if (this.#state === 'leaving') this.#carrier.reset(ResetCode.noError)
    this.#reportHeld()
    // An acknowledgement may have been lost with the carrier before.
    this.#acknowledge()
    this.#onDelivered()
  }

  /** Drops the carrier, if there is one. The link waits for the next. */
  detach(reason: unknown): void {
    const carrier = this.#carrier
    if (carrier === undefined) return
    this.#carrier = undefined
    carrier.abort(reason)
    this.#reportWritten()
    this.#deadline ??= setDeadline(this.#clock, onTimeout, this.timeout, this)
  }

  /** Gives up: no carrier is to come. */
  lose(error: ConnError): void {
    this.#end(error, true)
  }

  onTimeout(): void {
    const message = `the connection was lost, and no other took its place in ${this.timeout} ms`
    this.lose(new ConnError('CONNECTION_LOST', message))
  }

  // Calls of the conn.

  start(events: TransportEvents): void {
    this.#events = events
  }

  resume(): void {
    this.#flowing = true
    if (!this.#inbox.isEmpty) later(() => this.#deliver())
  }

  pause(): void {
    this.#flowing = false
  }

  write(bytes: Uint8Array, done?: (isReleased: boolean) => void): boolean {
    if (this.#state !== 'open') return true
    this.#reportWritten()
    this.#done = done
    const at = this.#outbox.append(bytes, 0)
    if (at < bytes.length) this.#rest = { bytes, at }
    this.#reportHeld()
    if (this.#carrier === undefined) this.#reportWritten()
    else this.#carrier.pump()
    return this.#rest === undefined && this.#outbox.hasRoom
  }

  /**
   * A write was copied, but it is over only once a carrier has taken it: a writer that got ahead of the carrier would
   * not gather what comes meanwhile. Without a carrier, the window alone holds the writer back.
   */
  #reportWritten(): void {
    const done = this.#done
    if (done === undefined || this.#rest !== undefined) return
    this.#done = undefined
    done(true)
  }

  end(): void {
    this.#ending = 'asked'
    this.#admit()
    this.#carrier?.pump()
  }

  destroy(error: ConnError | null): void {
    if (this.#state === 'settled' || this.#state === 'over') return
    if (error !== null) {
      this.#end(error, false, rstCodeOf(error))
      return
    }
    this.#state = 'leaving'
    this.#flowing = true
    this.#deliver()
    this.#carrier?.reset(ResetCode.noError)
  }

  abandon(): void {
    // Over a carrier, the peer has all of it soon. Without one, the link still delivers it if there is another.
    if (this.#carrier !== undefined || this.#state === 'settled' || this.#state === 'over') return
    this.#state = 'settled'
    this.#close(undefined, false)
  }

  // Events of the carrier.

  takeRecords(): Uint8Array | undefined {
    return this.#outbox.take()
  }

  onRecordsWritten(isReleased: boolean): void {
    this.#outbox.handedOn(isReleased)
  }

  onWritten(): void {
    this.#reportWritten()
    if (this.#outbox.isTaken) this.#reportFinish()
    if (this.#state === 'settled' && this.#outbox.held === 0) this.#carrier?.end()
  }

  onCarrierEnd(): void {
    // The peer knows that both halves were delivered.
    if (this.#state === 'settled') this.#end(undefined, false)
    else this.#onLost(new ConnError('CONNECTION_LOST', 'the peer ended a carrier before the link had ended'))
  }

  onCarrierError(error: unknown): void {
    if (error instanceof ConnError && error.code === 'PROTOCOL_ERROR') {
      this.#end(error, true, ResetCode.protocolError)
      return
    }
    this.#onLost(error)
  }

  #onLost(reason: unknown): void {
    this.detach(reason)
    this.#host.onDetached(this, reason)
  }

  onData(parts: readonly Uint8Array[], length: number): void {
    this.#inbox.receive(length)
    for (const part of parts) this.#onPart(part)
    this.#onConsumed()
  }

  #onPart(part: Uint8Array): void {
    if (this.#state === 'over') return
    if (this.#inbox.isEmpty && this.#flowing) {
      this.#inbox.consumed += part.length
      this.#events.chunk(part)
    } else if (this.#state === 'open') this.#inbox.hold(part)
    else this.#inbox.consumed += part.length
  }

  onEndRecord(): void {
    this.#inbox.receiveEnd()
    this.#deliver()
  }

  onAck(offset: number): void {
    this.#outbox.acknowledge(offset)
    this.#admit()
    this.#reportHeld()
    this.#carrier?.pump()
    this.#onDelivered()
  }

  onReset(code: number): void {
    const error = new ConnError('RESET', `the peer broke the link off with code ${code}`, { rstCode: code })
    if (code === ResetCode.noError) this.#settleEarly(error)
    else this.#end(error, false)
  }

  /** Hands up what is held, as far as it is wanted. */
  #deliver(): void {
    if (this.#state !== 'open') this.#inbox.discard()
    while (this.#flowing && this.#state === 'open') {
      const chunk = this.#inbox.take()
      if (chunk === undefined) break
      this.#events.chunk(chunk)
    }
    if (this.#inbox.isEmpty) this.#reportEnd()
    this.#onConsumed()
  }

  /** The peer wants no more, but waits until it knows that what it sent has arrived. */
  #settleEarly(error: ConnError): void {
    if (this.#state !== 'open') return
    for (let chunk = this.#inbox.take(); chunk !== undefined; chunk = this.#inbox.take()) {
      if (this.#state === 'open') this.#events.chunk(chunk)
    }
    this.#reportEnd()
    if ((this.#state as State) !== 'open') return
    this.#state = 'settled'
    this.#outbox.clear()
    this.#rest = undefined
    this.#close(error, false)
    this.#acknowledge()
  }

  #reportFinish(): void {
    if (this.#ending !== 'queued') return
    this.#ending = 'finished'
    this.#events.finish()
  }

  #reportEnd(): void {
    if (!this.#inbox.hasEnd || this.#hasReportedEnd || this.#state === 'over') return
    this.#hasReportedEnd = true
    this.#inbox.consumed += 1
    if (this.#state === 'open') this.#events.end()
    this.#acknowledge()
    this.#onDelivered()
  }

  #onConsumed(): void {
    this.#reportHeld()
    if (this.#state === 'over') return
    if (this.#inbox.owesAck) this.#acknowledge()
    else if (this.#inbox.consumed > this.#inbox.told) this.#carrier?.acknowledgeSoon()
  }

  onAckDue(): void {
    if (this.#inbox.consumed > this.#inbox.told) this.#acknowledge()
  }

  #acknowledge(): void {
    this.#carrier?.acknowledge(this.#inbox.tell())
  }

  #reportHeld(): void {
    const change = this.held - this.#reportedHeld
    if (change === 0) return
    this.#reportedHeld += change
    this.#host.onHeld?.(this, change)
  }

  /** Lets in what waits for room. */
  #admit(): void {
    const rest = this.#rest
    if (rest !== undefined) {
      rest.at = this.#outbox.append(rest.bytes, rest.at)
      if (rest.at < rest.bytes.length) return
      this.#rest = undefined
    }
    if (this.#ending === 'asked' && this.#outbox.appendEnd()) this.#ending = 'queued'
    else if (this.#outbox.hasRoom && this.#ending === 'no') this.#events.drain()
  }

  /** Ends the conn once both halves were delivered. */
  #onDelivered(): void {
    if (!this.#outbox.isDelivered) return
    this.#reportFinish()
    if (this.#state === 'leaving') this.#end(undefined, false)
    if (!this.#hasReportedEnd) return
    if (this.#state === 'open') {
      this.#state = 'settled'
      this.#close(undefined, false)
    }
    if (this.#state === 'settled') this.#carrier?.pump()
  }

  /**
   * @param isLost - whether what was handed on may not have arrived.
   * @param code - what the peer receives, if it does not know.
   */
  #end(error: ConnError | undefined, isLost: boolean, code?: number): void {
    if (this.#state === 'over') return
    const hadClosed = this.#state === 'settled'
    this.#state = 'over'
    this.#deadline?.cancel()
    this.#inbox.discard()
    this.#outbox.clear()
    this.#rest = undefined
    this.#reportHeld()
    const carrier = this.#carrier
    this.#carrier = undefined
    carrier?.close(code)
    if (!hadClosed) this.#close(error, isLost)
    this.#host.onOver(this)
  }

  #close(error: ConnError | undefined, isLost: boolean): void {
    // Never within a call of the conn.
    later(() => this.#events.close(error, isLost))
  }
}

const silent: TransportEvents = { chunk() {}, end() {}, drain() {}, finish() {}, close() {} }

const onTimeout = (link: { onTimeout(): void }): void => link.onTimeout()
