import type { ConnError } from '@h2channel/conn'

import { closeError } from './control.ts'
import type { ChannelErrorCode } from './errors.ts'
import { ChannelError } from './errors.ts'

/**
 * What a channel's end is called in RST_STREAM (RFC 9113, section 7), for a peer that takes no control frames. Codes that
 * are not here reset with CANCEL.
 */
const rstCodes: Partial<Record<ChannelErrorCode, number>> = {
  INTERNAL: 2,
  INVALID_MESSAGE: 1,
  INVALID_FRAME: 1,
  TRUNCATED_FRAME: 1,
  MESSAGE_TOO_LARGE: 6,
  PEER_TOO_SLOW: 11,
  RATE_LIMITED: 11,
}

const cancel = 8

/** The reason to abort a conn with, so that its reset says `code`. */
export function resetReason(error: ChannelError): Error & { readonly rstCode: number } {
  return Object.assign(new Error(error.message, { cause: error }), { rstCode: rstCodes[error.code] ?? cancel })
}

/** What a conn's failure means for the channel on it. */
export function connFailure(error: ConnError): ChannelError {
  if (error.code === 'PEER_SILENT') return new ChannelError('PEER_SILENT', error.message, { cause: error })
  if (error.code !== 'RESET') return new ChannelError('CONN_LOST', error.message, { cause: error })
  switch (error.rstCode) {
    case 0:
      return new ChannelError('PEER_STOPPED', 'the peer wants no more messages', { fatal: true, cause: error })
    case 1:
      return closeError('INVALID_MESSAGE', '', error)
    case 2:
      return closeError('INTERNAL', '', error)
    case 6:
      return closeError('MESSAGE_TOO_LARGE', '', error)
    // Who exceeds a rate is mostly told by a control frame; whoever does not read would never see one.
    case 11:
      return closeError('PEER_TOO_SLOW', '', error)
    // Conns that have no codes, such as a pipe, have only this to say.
    case undefined:
    case cancel:
      return new ChannelError('PEER_ABORTED', 'the peer broke the channel off', { cause: error })
    default:
      return new ChannelError('CONN_LOST', error.message, { cause: error })
  }
}

export function isConnError(error: unknown): error is ConnError {
  return (error as { readonly name?: unknown } | null | undefined)?.name === 'ConnError'
}
