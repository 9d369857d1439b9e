/** HTTP/2 peers made of frames, a server and a client, for what polite ones never send (RFC 9113, section 4). */
import type { AddressInfo, Socket } from 'node:net'
import { connect as connectSocket, createServer } from 'node:net'

export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const

export const Flag = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8 } as const

export const Setting = { ENABLE_PUSH: 2, INITIAL_WINDOW_SIZE: 4, MAX_FRAME_SIZE: 5 } as const

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const header = Buffer.alloc(9)
  header.writeUIntBE(payload.length, 0, 3)
  header.writeUInt8(type, 3)
  header.writeUInt8(flags, 4)
  header.writeUInt32BE(stream, 5)
  return Buffer.concat([header, payload])
}

/** `:status: 200` and nothing else, from HPACK's static table. */
export function ok(stream: number, end = false): Buffer {
  return frame(FrameType.HEADERS, Flag.END_HEADERS | (end ? Flag.END_STREAM : 0), stream, Uint8Array.of(0x88))
}

/** A field that enters no table, and whose name and value are shorter than 127 bytes (RFC 7541, section 6.2.2). */
export function field(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)])
}

/** `POST /` over `http`. */
export const post: Uint8Array = Buffer.concat([Buffer.of(0x83, 0x86, 0x84), field(':authority', 'test')])

export function headers(stream: number, block: Uint8Array, flags: number = Flag.END_HEADERS): Buffer {
  return frame(FrameType.HEADERS, flags, stream, block)
}

export function data(stream: number, text: string, end = false): Buffer {
  return frame(FrameType.DATA, end ? Flag.END_STREAM : 0, stream, Buffer.from(text))
}

export function reset(stream: number, code: number): Buffer {
  return frame(FrameType.RST_STREAM, 0, stream, words(code))
}

export function goaway(lastStream: number, code: number): Buffer {
  return frame(FrameType.GOAWAY, 0, 0, words(lastStream, code))
}

export function windowUpdate(stream: number, increment: number): Buffer {
  return frame(FrameType.WINDOW_UPDATE, 0, stream, words(increment))
}

export function ping(): Buffer {
  return frame(FrameType.PING, 0, 0, new Uint8Array(8))
}

/** The payload of a SETTINGS frame with one setting. */
export function setting(id: number, value: number): Buffer {
  return Buffer.concat([Buffer.of(0, id), words(value)])
}

/** Numbers of 32 bits each. */
export function words(...values: readonly number[]): Buffer {
  const payload = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) payload.writeUInt32BE(value, 4 * index)
  return payload
}

interface RawLinkOptions {
  /** How many bytes come before the first frame. */
  readonly skip?: number
  readonly answersPings?: boolean | undefined
  readonly answersSettings?: boolean
  readonly onFrame?: (frame: Frame) => void
}

/** One connection of a raw peer. It answers SETTINGS and pings, unless its options say no. */
export class RawLink {
  readonly socket: Socket
  /** When the socket is gone, by whomever. */
  readonly closed: Promise<void>
  readonly #came: Frame[] = []
  readonly #look = new Set<() => void>()
  #isClosed = false

  constructor(socket: Socket, { skip = 0, answersPings = true, answersSettings = true, onFrame }: RawLinkOptions = {}) {
    this.socket = socket
    socket.on('error', () => {})
    socket.setNoDelay(true)
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#isClosed = true
        for (const look of this.#look) look()
        resolve()
      })
    })
    let input: Buffer = Buffer.alloc(0)
    let unread = skip
    socket.on('data', (chunk) => {
      const skipped = Math.min(unread, chunk.length)
      unread -= skipped
      input = Buffer.concat([input, chunk.subarray(skipped)])
      while (input.length >= 9 && input.length >= 9 + input.readUIntBE(0, 3)) {
        const length = input.readUIntBE(0, 3)
        const [type, flags, stream] = [input.readUInt8(3), input.readUInt8(4), input.readUInt32BE(5)]
        const came = { type, flags, stream, payload: input.subarray(9, 9 + length) }
        input = input.subarray(9 + length)
        if (type === FrameType.SETTINGS && flags === 0 && answersSettings)
          this.send(frame(FrameType.SETTINGS, Flag.ACK, 0))
        if (type === FrameType.PING && flags === 0 && answersPings)
          this.send(frame(FrameType.PING, Flag.ACK, 0, came.payload))
        this.#came.push(came)
        onFrame?.(came)
      }
      for (const look of this.#look) look()
    })
  }

  send(...frames: readonly Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames))
  }

  /** Takes the first frame that fits out of what came, or waits for it. Rejects when the socket is gone before. */
  take(type: number | readonly number[], fits: (frame: Frame) => boolean = () => true): Promise<Frame> {
    const types = typeof type === 'number' ? [type] : type
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const index = this.#came.findIndex((came) => types.includes(came.type) && fits(came))
        const [found] = index < 0 ? [] : this.#came.splice(index, 1)
        if (found === undefined && !this.#isClosed) return
        this.#look.delete(look)
        if (found === undefined)
          reject(new Error(`the socket was closed before a frame of type ${types.join(' or ')} came`))
        else resolve(found)
      }
      this.#look.add(look)
      look()
    })
  }

  /** Waits until the peer has handled all that was sent: until it has answered a ping. */
  async handled(): Promise<void> {
    this.send(ping())
    await this.take(FrameType.PING, ({ flags }) => flags === Flag.ACK)
  }
}

/** A queue of arrivals, read in order. */
export class Arrivals<Value> {
  readonly #there: Value[] = []
  readonly #waiting: ((value: Value) => void)[] = []

  add(value: Value): void {
    const waiter = this.#waiting.shift()
    if (waiter === undefined) this.#there.push(value)
    else waiter(value)
  }

  /** The arrivals that were not read yet. */
  all(): readonly Value[] {
    return this.#there.splice(0)
  }

  next(): Promise<Value> {
    const value = this.#there.shift()
    return value === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(value)
  }
}

/** A request, and the connection on which it came. */
export interface RawRequest {
  readonly link: RawLink
  readonly stream: number
}

export interface RawPeer extends AsyncDisposable {
  readonly origin: string
  /** The next connection that was not asked for yet. */
  link(): Promise<RawLink>
  /** The next request that was not asked for yet, on whichever connection. */
  request(): Promise<RawRequest>
}

export interface Script {
  /** Called with each request's stream. */
  onRequest?(socket: Socket, stream: number): void
  /** Whether to answer pings. Default: true. */
  readonly answersPings?: boolean
  /** The payload of its SETTINGS. `null`: it sends none, and answers none. */
  readonly settings?: Uint8Array | null
}

/** The server. */
export async function startRawPeer(script: Script = {}): Promise<RawPeer> {
  const sockets = new Set<Socket>()
  const links = new Arrivals<RawLink>()
  const requests = new Arrivals<RawRequest>()
  const server = createServer((socket) => {
    sockets.add(socket)
    const link = new RawLink(socket, {
      skip: preface.length,
      answersPings: script.answersPings,
      answersSettings: script.settings !== null,
      onFrame({ type, stream }) {
        if (type !== FrameType.HEADERS) return
        script.onRequest?.(socket, stream)
        requests.add({ link, stream })
      },
    })
    if (script.settings !== null) link.send(frame(FrameType.SETTINGS, 0, 0, script.settings))
    links.add(link)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    link: () => links.next(),
    request: () => requests.next(),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}

/** What a client says first. */
export function greeting(settings?: Uint8Array): Buffer {
  return Buffer.concat([preface, frame(FrameType.SETTINGS, 0, 0, settings)])
}

/** The client. */
export function connectRaw(origin: string, first: Uint8Array = greeting(), answersPings = true): RawLink {
  const { hostname, port } = new URL(origin)
  const link = new RawLink(connectSocket(Number(port), hostname), { answersPings })
  link.send(first)
  return link
}
