/** A TCP relay: what a test puts between two ends, to be a network that is far, or one that fails. */
import type { AddressInfo, Socket } from 'node:net'
import { connect, createServer } from 'node:net'

/** Joins the two sockets of a connection: `near` is the one that was accepted, `far` the one that was opened for it. */
export type Join = (near: Socket, far: Socket) => void

export interface Relay extends AsyncDisposable {
  readonly port: number
  /** How many sockets are open. */
  readonly open: number
  /** Stops listening, and waits until every connection has ended. */
  ended(): Promise<void>
  /** Stops listening, and ends every connection. */
  close(): Promise<void>
}

/** Listens on a free port of 127.0.0.1, and joins each connection with one to `target`. */
export async function startRelay(target: number, join: Join): Promise<Relay> {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    for (const socket of [near, far]) {
      open.add(socket)
      socket.once('close', () => open.delete(socket))
      socket.on('error', () => {})
    }
    join(near, far)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  let gone: Promise<unknown> | undefined
  const ended = async (): Promise<void> => {
    gone ??= new Promise((resolve) => server.close(resolve))
    await gone
    await Promise.all([...open].map((socket) => new Promise((resolve) => socket.once('close', resolve))))
  }
  const close = async (): Promise<void> => {
    for (const socket of open) socket.destroy()
    await ended()
  }
  return {
    port: (server.address() as AddressInfo).port,
    get open() {
      return open.size
    },
    ended,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** What may be on the way in each direction before the relay stops reading: more than any test sends. Unit: bytes. */
const boundOfFlight = 64 * 1024 * 1024

/** A link that is far: each chunk arrives half a round trip later, in order. How much is on the way costs no time. */
export function distant(roundTrip: number): Join {
  return (left, right) => {
    delay(left, right, roundTrip / 2)
    delay(right, left, roundTrip / 2)
  }
}

function delay(from: Socket, to: Socket, ms: number): void {
  const flight: { readonly due: number; readonly chunk: Buffer | null }[] = []
  let bytes = 0
  let timer: NodeJS.Timeout | undefined
  const arrive = (): void => {
    timer = undefined
    const now = performance.now()
    let next = flight[0]
    for (; next !== undefined && next.due <= now; next = flight[0]) {
      flight.shift()
      if (next.chunk === null) to.end()
      else {
        bytes -= next.chunk.length
        to.write(next.chunk)
      }
    }
    if (next !== undefined) timer = setTimeout(arrive, Math.ceil(next.due - now))
    if (from.isPaused() && bytes + to.writableLength < boundOfFlight) from.resume()
  }
  const depart = (chunk: Buffer | null): void => {
    flight.push({ due: performance.now() + ms, chunk })
    timer ??= setTimeout(arrive, Math.ceil(ms))
  }
  from.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    depart(chunk)
    if (bytes + to.writableLength >= boundOfFlight) from.pause()
  })
  from.on('end', () => depart(null))
  from.on('close', (failed) => {
    if (failed) to.destroy()
  })
  to.on('close', () => clearTimeout(timer))
}
