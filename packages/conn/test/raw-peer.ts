/** An HTTP/2 server made of frames, for what a polite one never sends (RFC 9113, section 4). */
import type { AddressInfo, Socket } from 'node:net'
import { createServer } from 'node:net'

export const FrameType = { DATA: 0, HEADERS: 1, RST_STREAM: 3, SETTINGS: 4, PING: 6, GOAWAY: 7 } as const

const END_STREAM = 1
const ACK = 1
const END_HEADERS = 4
const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

export function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const header = Buffer.alloc(9)
  header.writeUIntBE(payload.length, 0, 3)
  header.writeUInt8(type, 3)
  header.writeUInt8(flags, 4)
  header.writeUInt32BE(stream, 5)
  return Buffer.concat([header, payload])
}

/** `:status: 200` and nothing else, from HPACK's static table. */
export function ok(stream: number): Buffer {
  return frame(FrameType.HEADERS, END_HEADERS, stream, Uint8Array.of(0x88))
}

export function data(stream: number, text: string, end = false): Buffer {
  return frame(FrameType.DATA, end ? END_STREAM : 0, stream, Buffer.from(text))
}

export function reset(stream: number, code: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(code)
  return frame(FrameType.RST_STREAM, 0, stream, payload)
}

export function goaway(lastStream: number, code: number): Buffer {
  const payload = Buffer.alloc(8)
  payload.writeUInt32BE(lastStream, 0)
  payload.writeUInt32BE(code, 4)
  return frame(FrameType.GOAWAY, 0, 0, payload)
}

export interface RawPeer extends AsyncDisposable {
  readonly origin: string
}

export interface Script {
  /** Called with each request's stream. */
  onRequest(socket: Socket, stream: number): void
  /** Whether to answer pings: yes unless said otherwise. */
  readonly answersPings?: boolean
  /** The payload of its SETTINGS. */
  readonly settings?: Uint8Array
}

export async function startRawPeer(script: Script): Promise<RawPeer> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.write(frame(FrameType.SETTINGS, 0, 0, script.settings))
    let input = Buffer.alloc(0)
    let greeted = false
    socket.on('data', (chunk) => {
      input = Buffer.concat([input, chunk])
      if (!greeted) {
        if (input.length < preface.length) return
        input = input.subarray(preface.length)
        greeted = true
      }
      while (input.length >= 9 && input.length >= 9 + input.readUIntBE(0, 3)) {
        const length = input.readUIntBE(0, 3)
        const [type, flags, stream] = [input.readUInt8(3), input.readUInt8(4), input.readUInt32BE(5)]
        const payload = input.subarray(9, 9 + length)
        input = input.subarray(9 + length)
        if (type === FrameType.SETTINGS && flags === 0) socket.write(frame(FrameType.SETTINGS, ACK, 0))
        if (type === FrameType.PING && script.answersPings !== false)
          socket.write(frame(FrameType.PING, ACK, 0, payload))
        if (type === FrameType.HEADERS) script.onRequest(socket, stream)
      }
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
}
