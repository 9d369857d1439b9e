import type { ConnError } from '@h2channel/conn'

import { closeError, named } from '../framing/control-frames.ts'
import type { ChannelErrorCode } from '../errors.ts'
import { ChannelError } from '../errors.ts'

/**
 * What a channel's end is called in RST_STREAM, for a peer that takes no control frames, and what such a reset means here: the
 * first of its line. RFC 9113, section 7, has codes for some. The others have codes that nobody assigned, which begin with `h2`:
 * whoever does not know them takes them for INTERNAL_ERROR at most. What is not here resets with CANCEL.
 */
const table: readonly (readonly [rstCode: number, ...codes: [ChannelErrorCode, ...ChannelErrorCode[]]])[] = [
  [1, 'INVALID_MESSAGE', 'INVALID_FRAME', 'TRUNCATED_FRAME'],
  [2, 'INTERNAL'],
  [6, 'MESSAGE_TOO_LARGE'],
  [11, 'PEER_TOO_SLOW'],
  [0x6832_0001, 'GOING_AWAY'],
  [0x6832_0002, 'RATE_LIMITED'],
  [0x6832_0003, 'UNAUTHENTICATED'],
]

const cancel = 8

/** The reason to abort a conn with, so that its reset says `code`. */
export function resetReason(error: ChannelError): Error & { readonly rstCode: number } {
  const [rstCode] = table.find(([, ...codes]) => codes.includes(error.code)) ?? [cancel]
  return Object.assign(new Error(error.message, { cause: error }), { rstCode })
}

/** What a conn's failure means for the channel on it. `of` is what errors call the channel by. */
export function connFailure(error: ConnError, of?: string): ChannelError {
  const message = `${named(of)}${error.message}`
  if (error.code === 'PEER_SILENT') return new ChannelError('PEER_SILENT', message, { cause: error })
  if (error.code !== 'RESET') return new ChannelError('CONN_LOST', message, { cause: error })
  const known = table.find(([rstCode]) => rstCode === error.rstCode)
  if (known !== undefined) return closeError(known[1], '', of, error)
  switch (error.rstCode) {
    case 0:
      return new ChannelError('PEER_STOPPED', `${named(of)}the peer wants no more messages`, {
        fatal: true,
        cause: error,
      })
    // Conns that have no codes, such as a pipe, have only this to say.
    case undefined:
    case cancel:
      return new ChannelError('PEER_ABORTED', `${named(of)}the peer broke the channel off`, { cause: error })
    default:
      return new ChannelError('CONN_LOST', message, { cause: error })
  }
}

export function isConnError(error: unknown): error is ConnError {
  return (error as { readonly name?: unknown } | null | undefined)?.name === 'ConnError'
}
