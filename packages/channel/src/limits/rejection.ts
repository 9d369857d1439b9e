import type { OutgoingHttpHeaders } from 'node:http2'

/** The answer to a request that gets no channel. */
export interface Rejection {
  readonly status: number
  readonly message: string
  readonly headers?: OutgoingHttpHeaders | undefined
}

/** Makes a 503: the client may try again soon, at another server if it has one. */
export function unavailable(message: string): Rejection {
  return { status: 503, message, headers: { 'retry-after': '1' } }
}
