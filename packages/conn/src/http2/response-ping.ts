import type { ClientHttp2Stream } from 'node:http2'

import { clearTimeout, setTimeout } from '../runtime/timers.ts'

/** When a peer is pinged whose response is waited for, from the request on. Unit: milliseconds. */
const pingTimes: readonly number[] = [50, 150, 350]

/**
 * Pings the peer of a session while a response is waited for, a few times. Some proxies hold headers back until there is
 * something else to send (nginx with TLS, docs/proxies.md), and the answer to a ping is something. It also tells a peer that is
 * slow from one that is gone.
 *
 * @param ask - pings the peer, as `KeepAlive.ask` does.
 * @returns a function that takes each stream that waits. The timers keep no process alive.
 */
export function pingForResponses(ask: () => void): (stream: ClientHttp2Stream) => void {
  let waiting = 0
  let timer: NodeJS.Timeout | undefined
  const schedule = (count: number): void => {
    clearTimeout(timer)
    const [at, before = 0] = [pingTimes[count], pingTimes[count - 1]]
    if (at === undefined) return
    timer = setTimeout(() => {
      ask()
      schedule(count + 1)
    }, at - before).unref()
  }
  return (stream) => {
    waiting += 1
    // Under steady requests, their own traffic brings along what is held back.
    schedule(0)
    const answered = (): void => {
      stream.off('response', answered)
      stream.off('close', answered)
      waiting -= 1
      if (waiting === 0) clearTimeout(timer)
    }
    stream.on('response', answered)
    stream.on('close', answered)
  }
}
