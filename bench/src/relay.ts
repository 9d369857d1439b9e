/**
 * A network with a high latency: each chunk arrives half a round trip later, in order. The amount under way does not
 * matter.
 */
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:net'

import { listen } from './peers/listen.ts'

/** How much may be under way in each direction before the relay stops reading. Unit: bytes. */
const maxUnderWay = 64 * 1024 * 1024

/** Listens on its own port, and joins each connection with one to `target`. */
export function startRelay(target: number, roundTrip: number): Promise<number> {
  return listen(
    createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
      const far = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      delay(near, far, roundTrip / 2)
      delay(far, near, roundTrip / 2)
    }),
  )
}

function delay(from: Socket, to: Socket, milliseconds: number): void {
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
    if (from.isPaused() && bytes + to.writableLength < maxUnderWay) from.resume()
  }
  const depart = (chunk: Buffer | null): void => {
    flight.push({ due: performance.now() + milliseconds, chunk })
    timer ??= setTimeout(arrive, Math.ceil(milliseconds))
  }
  from.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    depart(chunk)
    if (bytes + to.writableLength >= maxUnderWay) from.pause()
  })
  from.on('end', () => depart(null))
  from.on('error', () => {})
  from.on('close', (hasFailed) => {
    if (hasFailed) to.destroy()
  })
  to.on('close', () => clearTimeout(timer))
}
