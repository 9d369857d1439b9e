/**
 * How the end of a channel translates: at one peer to a close frame or a reset, and from those to an error at the
 * other.
 */
import { CodecError } from '@h2channel/codecs/internal'
import { ConnError } from '@h2channel/conn/web'

import type { ChannelErrorCode } from '../errors.ts'
import { ChannelError, channelErrorCodes, errorRules, ruleFor, textOf } from '../errors.ts'
import type { Control } from '../framing/control-frames.ts'
import { isCloseCode } from '../framing/control-frames.ts'

/** Codes of RST_STREAM: RFC 9113, section 7. */
const noError = 0
const cancel = 8
const enhanceYourCalm = 11

/** The frame that ends the channel at a peer that understands control frames. */
export function closeFrame({ code, message }: ChannelError): Control {
  // An error of another version of this package may have any code.
  return { type: 'close', code: isCloseCode(code) ? code : 'ABORTED', reason: ruleFor(code).isTellable ? message : '' }
}

/** The reason to abort a conn with, so that its RST_STREAM has the code of `error`. */
export function resetReason(error: ChannelError): Error & { readonly rstCode: number } {
  const { rstCode = cancel } = ruleFor(error.code)
  return Object.assign(new Error(error.message, { cause: error }), { rstCode })
}

/**
 * The error of a channel that its peer closed with `code`, which is empty where its close was malformed. `name` is the
 * channel's in errors.
 */
export function closeError(code: string, reason: string, name?: string, cause?: unknown): ChannelError {
  const detail = reason === '' ? '' : `: ${reason}`
  const { atPeer, reopen } = ruleFor(code)
  if (atPeer === undefined) {
    const shown = code === '' ? 'a malformed close frame' : code
    return new ChannelError('PEER_ABORTED', `${prefix(name)}the peer closed the channel (${shown})${detail}`, { cause })
  }
  const [side, text = `the peer refused what this side sent (${code})`] = atPeer
  return new ChannelError(code as ChannelErrorCode, `${prefix(name)}${text}${detail}`, {
    side,
    fatal: true,
    reopen: reopen !== undefined,
    cause,
  })
}

/** The error of a channel whose conn failed. */
export function connFailure(error: ConnError, name?: string): ChannelError {
  const message = `${prefix(name)}${error.message}`
  if (error.code === 'PEER_SILENT') return new ChannelError('PEER_SILENT', message, { cause: error })
  if (error.code === 'PROTOCOL_ERROR') {
    return new ChannelError('INVALID_FRAME', message, { fatal: true, cause: error })
  }
  if (error.code !== 'RESET') return new ChannelError('CONN_LOST', message, { cause: error })
  switch (error.rstCode) {
    // A conn without codes, such as a pipe, has none for any reset.
    case undefined:
    case cancel:
      return new ChannelError('PEER_ABORTED', `${prefix(name)}the peer broke the channel off`, { cause: error })
    case noError: {
      const text = `${prefix(name)}the peer wants no more messages`
      return new ChannelError('PEER_STOPPED', text, { fatal: true, cause: error })
    }
    case enhanceYourCalm: {
      const text = `${message}: the peer, or a proxy between, limits what a connection may ask for`
      return new ChannelError('CONN_LOST', text, { cause: error })
    }
    default: {
      const code = channelErrorCodes.find((one) => errorRules[one].rstCode === error.rstCode)
      if (code === undefined) return new ChannelError('CONN_LOST', message, { cause: error })
      return closeError(code, '', name, error)
    }
  }
}

/** The error of a channel for anything that the layers below threw. */
export function channelError(error: unknown, name: string | undefined): ChannelError {
  if (error instanceof ChannelError) return error
  return error instanceof ConnError ? connFailure(error, name) : decodeFailure(error)
}

/** The error of a message that can't be read. That is the peer's fault, except for a schema that is asynchronous. */
export function decodeFailure(cause: unknown): ChannelError {
  const detail = textOf(cause)
  return cause instanceof CodecError && cause.side === 'local'
    ? new ChannelError('INTERNAL', detail, { side: 'local', cause })
    : new ChannelError('INVALID_MESSAGE', detail, { cause })
}

/** Begins an error text for a program that has many channels. */
function prefix(name: string | undefined): string {
  return name === undefined ? '' : `${name}: `
}
