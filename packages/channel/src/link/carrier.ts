import type { Conn } from '@h2channel/conn'
import type { ConnReader, ConnWriter } from '@h2channel/conn/internal'
import { ownerCalls } from '@h2channel/conn/internal'
import { ConnError } from '@h2channel/conn/web'

import type { HeartbeatEvents } from '../core/events.ts'
import type { HeartbeatTimes } from '../core/heartbeat.ts'
import { Heartbeat } from '../core/heartbeat.ts'
import type { Clock } from '../runtime/clock.ts'
import { setDeadline } from '../runtime/clock.ts'
import { ackRecord, pingRecord, RecordReader, resetRecord } from './records.ts'
import type { PingEvents, RecordEvents } from './records.ts'

/** How long consumed bytes may stay unacknowledged, if they are less than half a window. Unit: milliseconds. */
const ackDelay = 25

/** What a carrier reports to its link, and asks of it. */
export interface CarrierEvents extends RecordEvents {
  /** Takes the records that follow. */
  takeRecords(): Uint8Array | undefined
  /** The records that were taken last were handed on. With `isReleased`, nothing reads their bytes any more. */
  onRecordsWritten(isReleased: boolean): void
  /** The peer is to be told by now how far the layer above has consumed. */
  onAckDue(): void
  /** Everything was handed on, and nothing waits. */
  onWritten(): void
  /** The peer ended the carrier, after the last record that it had. */
  onCarrierEnd(): void
  /** The carrier broke, or what came over it is against the rules (`PROTOCOL_ERROR`). */
  onCarrierError(error: unknown): void
}

/** The carrier of a link, as long as it is the current one: reads it, writes to it, and notices its silence. */
export class Carrier implements ConnReader, ConnWriter, PingEvents, HeartbeatEvents {
  readonly conn: Conn
  /** `undefined` once the link has left it. */
  #events: CarrierEvents | undefined
  readonly #records = new RecordReader()
  readonly #clock: Clock
  readonly #heartbeat: Heartbeat
  #readAt: number
  #isWriting = false
  /** Whether what is being written are records that were taken. */
  #hasRecords = false
  /** What the peer is to be told: how far the layer above has consumed. */
  #owed: number | undefined
  #ackDeadline: { cancel(): void } | undefined
  /** The answer to the peer's last ping, or this side's ping. */
  #ping: Uint8Array | undefined
  /** Ends the link at the peer. */
  #reset: Uint8Array | undefined
  #isEnding = false

  constructor(conn: Conn, events: CarrierEvents, clock: Clock, times: HeartbeatTimes) {
    this.conn = conn
    this.#events = events
    this.#clock = clock
    this.#readAt = clock.now()
    this.#heartbeat = new Heartbeat(clock, times, this)
    ownerCalls.readTo(this, conn)
  }

  get roundTrip(): number | undefined {
    return this.#heartbeat.roundTrip
  }

  /** Writes what waits, unless a write is under way: then its end does. */
  pump(): void {
    if (this.#isWriting) return
    const bytes = this.#isEnding ? undefined : this.#next()
    if (bytes !== undefined) {
      this.#isWriting = true
      ownerCalls.writeFrom(this, this.conn, bytes)
    } else if (this.#events === undefined) this.#close()
    else this.#events.onWritten()
  }

  #next(): Uint8Array | undefined {
    const consumed = this.#owed
    if (consumed !== undefined) {
      this.#owed = undefined
      return ackRecord(consumed)
    }
    const ping = this.#ping
    this.#ping = undefined
    if (ping !== undefined) return ping
    const records = this.#events?.takeRecords()
    if (records !== undefined) {
      this.#hasRecords = true
      return records
    }
    const reset = this.#reset
    this.#reset = undefined
    return reset
  }

  /** Tells the peer how far the layer above has consumed. */
  acknowledge(consumed: number): void {
    this.#owed = consumed
    this.pump()
  }

  /** The layer above has consumed a little: asks later how far it has come. */
  acknowledgeSoon(): void {
    this.#ackDeadline ??= setDeadline(this.#clock, onAckDue, ackDelay, this)
  }

  onAckDue(): void {
    this.#ackDeadline = undefined
    this.#events?.onAckDue()
  }

  /** Has the peer end the link, behind all that is to be sent. */
  reset(code: number): void {
    this.#reset = resetRecord(code)
    this.pump()
  }

  onPing(opaque: Uint8Array): void {
    this.#heartbeat.onPing()
    this.#ping = pingRecord('pong', opaque)
    this.pump()
  }

  onPong(opaque: Uint8Array): void {
    this.#heartbeat.onPong(opaque)
  }

  /** Ends this side's half of the carrier, behind what was written. The peer's end of its half is still awaited. */
  end(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.conn.closeWrite().catch(() => {})
  }

  /** The link does without it. */
  abort(reason: unknown): void {
    this.#leave()
    this.conn.abort(reason)
  }

  /** The link has ended. `code` is for a peer that does not know it. Records that were not taken are dropped. */
  close(code?: number): void {
    this.#leave()
    if (code !== undefined) this.#reset = resetRecord(code)
    this.pump()
  }

  #close(): void {
    this.conn.close().catch(() => {})
  }

  #leave(): void {
    this.#events = undefined
    this.#records.stop()
    this.#ackDeadline?.cancel()
    this.#heartbeat.stop()
  }

  // Events of the conn.

  onChunk(chunk: Uint8Array | null): void {
    const events = this.#events
    if (events === undefined) return
    if (chunk === null) {
      events.onCarrierEnd()
      return
    }
    this.#readAt = this.#clock.now()
    try {
      this.#records.read(chunk, events, this)
    } catch (error) {
      if (!(error instanceof ConnError)) throw error
      this.#events?.onCarrierError(error)
    }
    if (this.#events !== undefined) ownerCalls.readTo(this, this.conn)
  }

  onReadError(error: unknown): void {
    this.#events?.onCarrierError(error)
  }

  onWritten(isReleased: boolean): void {
    this.#isWriting = false
    if (this.#hasRecords) {
      this.#hasRecords = false
      this.#events?.onRecordsWritten(isReleased)
    }
    this.pump()
  }

  onWriteError(error: unknown): void {
    this.#isWriting = false
    if (this.#events === undefined) this.#close()
    else this.#events.onCarrierError(error)
  }

  // Events of the heartbeat.

  quietSince(): number {
    return this.#readAt
  }

  ping(opaque: Uint8Array): boolean {
    if (this.#isWriting || this.#isEnding) return false
    this.#ping = pingRecord('ping', opaque)
    this.pump()
    return true
  }

  onSilent(silence: number): void {
    this.#events?.onCarrierError(new ConnError('PEER_SILENT', `nothing came from the peer for ${silence} ms`))
  }
}

const onAckDue = (carrier: { onAckDue(): void }): void => carrier.onAckDue()
