import type { Http2Session, Http2Stream } from 'node:http2'

import { DuplexTransport } from './duplex-transport.ts'
import type { ConnError } from './errors.ts'
import { RstCode, streamFailure } from './http2-errors.ts'
import type { TransportEvents } from './transport.ts'

/** An HTTP/2 stream as a transport. */
export class Http2Transport extends DuplexTransport<Http2Stream> {
  readonly #session: Http2Session | undefined
  #peerEnded: boolean
  #endTold = false

  constructor(stream: Http2Stream) {
    super(stream)
    this.#session = stream.session
    this.#peerEnded = stream.endAfterHeaders || stream.state?.remoteClose === 1
  }

  override start(events: TransportEvents): void {
    const { stream } = this
    // Node pushes the end into a stream that was reset, too, and `end` is emitted for both. Only an end that is pushed
    // while the stream is still open is END_STREAM.
    const push = stream.push
    stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
      if (chunk === null && !stream.closed) this.#peerEnded = true
      return push.call(stream, chunk, encoding)
    }
    super.start({
      chunk: (bytes) => events.chunk(bytes),
      end: () => {
        this.#endTold = true
        events.end()
      },
      drain: () => events.drain(),
      finish: () => events.finish(),
      close: (error) => {
        this.#rescue(events)
        events.close(error)
      },
    })
  }

  override destroy(error: ConnError | null): void {
    const { stream } = this
    stream.close(error === null ? RstCode.NO_ERROR : (error.rstCode ?? RstCode.CANCEL))
    // A socket that takes no more bytes would keep the RST_STREAM, and with it the stream's `close`, for ever.
    stream.destroy()
  }

  protected override endedCleanly(): boolean {
    return this.#peerEnded
  }

  protected override translate(error: unknown): ConnError {
    return streamFailure(this.#session, this.stream.rstCode ?? RstCode.NO_ERROR, error)
  }

  /** `close` can come before `end` (nodejs/node#24983): a body that arrived whole is handed on all the same. */
  #rescue(events: TransportEvents): void {
    if (!this.#peerEnded || this.#endTold) return
    for (let chunk: unknown; (chunk = this.stream.read()) !== null; ) {
      if (chunk instanceof Uint8Array) events.chunk(chunk)
    }
    events.end()
  }
}
