/**
 * One HTTP/2 connection with one stream, by bytes: Node's client hides what rules are about, such as END_STREAM
 * followed by a reset, the code of a reset, and credit. RFC 9113; header blocks by a library (RFC 7541).
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect as connectTcp, isIP } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { connect as connectTls } from 'node:tls'
import hpack from 'hpack.js'

const FrameType = {
  DATA: 0,
  HEADERS: 1,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
}
const END_STREAM = 1
const ACK = 1
const END_HEADERS = 4
const PADDED = 8
const PRIORITY = 32
const INITIAL_WINDOW_SIZE = 4
const headSize = 9
const maxFrame = 16_384
const streamId = 1
/** The client's windows. Unit: bytes. */
const streamWindow = 1 << 20
const connectionWindow = 1 << 24
const cancel = 8
/** How long a connection waits for the server. Unit: milliseconds. */
const connectTimeout = 5_000
/** How long a server may be silent to a PING: one that has sent GOAWAY may read no more. Unit: milliseconds. */
const pingTimeout = 1_000
/** Fields whose value is one thing. Others may be repeated, which is the same as a list (RFC 9110, section 5.3). */
const singular = new Set(['content-type', 'content-length', 'content-encoding', 'h2channel', 'retry-after'])

export type Headers = readonly (readonly [name: string, value: string])[]

/** How the server's half ended: by END_STREAM, or by RST_STREAM with a code, or with the connection. */
export type Ending = 'END_STREAM' | { readonly rstCode: number } | { readonly lost: string }

/** What a stream has received. `onChange` is called after each change. */
export class Http2Client {
  readonly #socket: Socket
  readonly #decompressor = hpack.decompressor.create({ table: { size: 4_096 } })
  #unread: Buffer = Buffer.alloc(0)
  #block: Buffer[] = []
  /** Bytes that may still be sent, by the stream's and by the connection's window. */
  #credit = { stream: 65_535, connection: 65_535, initial: 65_535 }
  #hasSettings = false
  #isFirst = true
  #pongs = 0
  #hasEnded = false

  /** The header blocks of the response: informational ones, the final one, trailers. */
  readonly responses: Map<string, string>[] = []
  /** The bytes of DATA that were not taken. */
  received: Buffer = Buffer.alloc(0)
  ending: Ending | undefined
  /** Whether RST_STREAM has arrived, after the end or before it. */
  wasReset = false
  /** What no server may do, whatever the case. */
  violation: string | undefined
  /** Whether received bytes are given back as credit. */
  givesCredit = true
  onChange: () => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.#onData(chunk))
    socket.on('error', (error) => this.#onLost(error.message))
    socket.on('close', () => this.#onLost('the connection closed'))
    const settings = Buffer.alloc(12)
    settings.writeUInt16BE(2, 0) // ENABLE_PUSH = 0
    settings.writeUInt16BE(INITIAL_WINDOW_SIZE, 6)
    settings.writeUInt32BE(streamWindow, 8)
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    this.#write(FrameType.SETTINGS, 0, 0, settings)
    this.#write(FrameType.WINDOW_UPDATE, 0, 0, u32(connectionWindow))
  }

  static async connect(url: URL, ca: string | undefined): Promise<Http2Client> {
    const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const isSecure = url.protocol === 'https:'
    // A name of a server is no address (RFC 6066, section 3).
    const servername = isIP(host) === 0 ? host : ''
    const options = { host, port, ALPNProtocols: ['h2'], servername, ca }
    const socket: Socket = isSecure ? connectTls(options) : connectTcp({ host, port })
    const signal = AbortSignal.timeout(connectTimeout)
    try {
      await once(socket, isSecure ? 'secureConnect' : 'connect', { signal })
      if (isSecure && (socket as TLSSocket).alpnProtocol !== 'h2') throw new Error('it does not select h2 by ALPN')
      const client = new Http2Client(socket)
      await client.#settings(signal)
      return client
    } catch (error) {
      socket.destroy()
      if (!signal.aborted) throw error
      throw new Error(`it did not begin HTTP/2 within ${connectTimeout / 1_000} s`, { cause: error })
    }
  }

  /** Waits for the server's settings, which come before it answers. */
  #settings(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('timeout')))
      this.onChange = () => {
        if (this.#hasSettings) resolve()
        // A server of another protocol answers in it, hangs up or resets: which of these is read first is a race.
        else if (this.ending !== undefined) reject(new Error('it does not speak HTTP/2', { cause: this.ending }))
      }
    })
  }

  /** Waits until the server has answered a PING: what it sent before has then arrived. */
  async settled(): Promise<void> {
    const wanted = this.#pongs + 1
    this.#write(FrameType.PING, 0, 0, Buffer.alloc(8))
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pingTimeout)
      this.onChange = () => {
        if (this.#pongs < wanted && !this.#socket.destroyed) return
        clearTimeout(timer)
        resolve()
      }
      this.onChange()
    })
  }

  /** Waits for something to arrive. Returns whether it did. Unit of `timeout`: milliseconds. */
  changes(timeout: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeout)
      this.onChange = () => {
        clearTimeout(timer)
        resolve(true)
      }
    })
  }

  /** The final response, when it has arrived. */
  get response(): Map<string, string> | undefined {
    return this.responses.find((one) => !(one.get(':status') ?? '').startsWith('1'))
  }

  request(headers: Headers, endStream: boolean): void {
    this.#hasEnded = endStream
    this.#write(FrameType.HEADERS, END_HEADERS | (endStream ? END_STREAM : 0), streamId, literals(headers))
  }

  /** Sends as many bytes as there is credit for, and returns how many. */
  send(bytes: Uint8Array, size: number = maxFrame): number {
    let sent = 0
    while (sent < bytes.length && this.ending === undefined) {
      const count = Math.min(size, bytes.length - sent, this.#credit.stream, this.#credit.connection)
      if (count <= 0) break
      this.#write(FrameType.DATA, 0, streamId, bytes.subarray(sent, sent + count))
      this.#credit.stream -= count
      this.#credit.connection -= count
      sent += count
    }
    return sent
  }

  end(trailers?: Headers): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    if (trailers === undefined) this.#write(FrameType.DATA, END_STREAM, streamId, Buffer.alloc(0))
    else this.#write(FrameType.HEADERS, END_HEADERS | END_STREAM, streamId, literals(trailers))
  }

  reset(): void {
    this.#write(FrameType.RST_STREAM, 0, streamId, u32(cancel))
  }

  close(): void {
    this.#socket.destroy()
  }

  #onLost(why: string): void {
    this.ending ??= { lost: why }
    this.onChange()
  }

  #onData(chunk: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, chunk])
    if (this.#isFirst && this.#unread.length > 3 && this.#unread[3] !== FrameType.SETTINGS) {
      this.#onLost('it does not speak HTTP/2')
      this.#socket.destroy()
      return
    }
    while (this.#unread.length >= headSize) {
      const size = headSize + this.#unread.readUIntBE(0, 3)
      if (this.#unread.length < size) break
      const frame = this.#unread.subarray(0, size)
      this.#isFirst = false
      this.#unread = this.#unread.subarray(size)
      this.#onFrame(frame[3] ?? 0, frame[4] ?? 0, frame.readUInt32BE(5), frame.subarray(headSize))
    }
    this.onChange()
  }

  #onFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    switch (type) {
      case FrameType.DATA: {
        this.received = Buffer.concat([this.received, unpadded(flags, payload)])
        if (payload.length > 0 && this.givesCredit) this.#giveCredit(payload.length)
        break
      }
      case FrameType.HEADERS: {
        this.#block = [unpadded(flags, payload).subarray((flags & PRIORITY) === 0 ? 0 : 5)]
        break
      }
      case FrameType.CONTINUATION: {
        this.#block.push(payload)
        break
      }
      case FrameType.RST_STREAM: {
        this.wasReset = true
        const rstCode = payload.readUInt32BE(0)
        // NO_ERROR after the end asks the client to end its half, too.
        if (this.ending !== undefined && rstCode !== 0) this.violation ??= `after its end it reset with code ${rstCode}`
        this.ending ??= { rstCode }
        break
      }
      case FrameType.SETTINGS: {
        if ((flags & ACK) === 0) this.#onSettings(payload)
        break
      }
      case FrameType.PUSH_PROMISE: {
        this.violation ??= 'it sent PUSH_PROMISE'
        break
      }
      case FrameType.PING: {
        if ((flags & ACK) !== 0) this.#pongs += 1
        else this.#write(FrameType.PING, ACK, 0, payload)
        break
      }
      case FrameType.GOAWAY: {
        const code = payload.readUInt32BE(4)
        if (code !== 0) this.ending ??= { lost: `GOAWAY with code ${code}` }
        break
      }
      case FrameType.WINDOW_UPDATE: {
        const credit = payload.readUInt32BE(0)
        if (stream === 0) this.#credit.connection += credit
        else this.#credit.stream += credit
        break
      }
      default:
    }
    const isBlock = type === FrameType.HEADERS || type === FrameType.CONTINUATION
    if (isBlock && (flags & END_HEADERS) !== 0) this.#onBlock()
    // The end may be on HEADERS whose block continues: it counts with the frame that has it.
    const mayEnd = type === FrameType.DATA || type === FrameType.HEADERS
    if (mayEnd && (flags & END_STREAM) !== 0) this.ending ??= 'END_STREAM'
  }

  #onSettings(payload: Buffer): void {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      if (payload.readUInt16BE(at) !== INITIAL_WINDOW_SIZE) continue
      const initial = payload.readUInt32BE(at + 2)
      this.#credit.stream += initial - this.#credit.initial
      this.#credit.initial = initial
    }
    this.#hasSettings = true
    this.#write(FrameType.SETTINGS, ACK, 0, Buffer.alloc(0))
  }

  #onBlock(): void {
    this.#decompressor.write(Buffer.concat(this.#block))
    this.#decompressor.execute()
    const headers = new Map<string, string>()
    for (let field = this.#decompressor.read(); field !== null; field = this.#decompressor.read()) {
      const { name, value } = field
      const earlier = headers.get(name)
      if (earlier === undefined) {
        headers.set(name, value)
        continue
      }
      if (name.startsWith(':') || singular.has(name)) this.violation ??= `it sent the header ${name} twice`
      headers.set(name, `${earlier}, ${value}`)
    }
    this.responses.push(headers)
  }

  #giveCredit(count: number): void {
    this.#write(FrameType.WINDOW_UPDATE, 0, 0, u32(count))
    this.#write(FrameType.WINDOW_UPDATE, 0, streamId, u32(count))
  }

  #write(type: number, flags: number, stream: number, payload: Uint8Array): void {
    if (this.#socket.destroyed) return
    const head = Buffer.alloc(headSize)
    head.writeUIntBE(payload.length, 0, 3)
    head[3] = type
    head[4] = flags
    head.writeUInt32BE(stream, 5)
    this.#socket.write(Buffer.concat([head, payload]))
  }
}

function unpadded(flags: number, payload: Buffer): Buffer {
  return (flags & PADDED) === 0 ? payload : payload.subarray(1, payload.length - (payload[0] ?? 0))
}

/** A header block of literals that are not indexed, without Huffman coding (RFC 7541, section 6.2.2). */
function literals(headers: Headers): Buffer {
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]))
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  const length = [Math.min(bytes.length, 127)]
  // An integer with a prefix of seven bits (RFC 7541, section 5.1).
  if (bytes.length >= 127) {
    let rest = bytes.length - 127
    for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128)
    length.push(rest)
  }
  return Buffer.concat([Buffer.from(length), bytes])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
