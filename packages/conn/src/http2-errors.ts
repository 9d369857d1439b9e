/** The one file that knows Node's error strings and the codes of RST_STREAM. */
import type { Http2Session } from 'node:http2'
import { constants } from 'node:http2'

import { ConnError } from './errors.ts'

/** The codes of RFC 9113, section 7, that this package sends or answers to. */
export const RstCode: {
  readonly NO_ERROR: number
  readonly REFUSED_STREAM: number
  readonly CANCEL: number
  readonly ENHANCE_YOUR_CALM: number
} = {
  NO_ERROR: constants.NGHTTP2_NO_ERROR,
  REFUSED_STREAM: constants.NGHTTP2_REFUSED_STREAM,
  CANCEL: constants.NGHTTP2_CANCEL,
  ENHANCE_YOUR_CALM: constants.NGHTTP2_ENHANCE_YOUR_CALM,
}

const rstNames: readonly string[] = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
]

/** What a stream is reset with when it ends by `error`: the code that the reason for an abort brings along, or CANCEL. */
export function resetCode({ cause }: ConnError): number {
  if (typeof cause !== 'object' || cause === null || !('rstCode' in cause)) return RstCode.CANCEL
  const { rstCode } = cause
  return typeof rstCode === 'number' && Number.isInteger(rstCode) && rstCode > 0 && rstCode <= 0xffff_ffff
    ? rstCode
    : RstCode.CANCEL
}

/** Why a stream closed before both halves had ended. */
export function streamFailure(session: Http2Session | undefined, rstCode: number, error: unknown): ConnError {
  if (error instanceof ConnError) return error
  // Streams that a dying session takes along show CANCEL or NO_ERROR, as if the peer had said so (nodejs/node#24983).
  if (session === undefined || session.destroyed) {
    return new ConnError('CONNECTION_LOST', 'the HTTP/2 connection was lost', { cause: error })
  }
  const name = rstNames[rstCode] ?? `code ${rstCode}`
  return new ConnError('RESET', `the stream was reset with ${name}`, { cause: error, rstCode })
}

/** How far a session came: no further than the socket, to a connection without a word of HTTP/2, or to SETTINGS. */
export type Progress = 'none' | 'connected' | 'http2'

/** Why a session could not be had, or ended before its stream was answered. */
export function connectFailure(authority: string, error: unknown, progress: Progress): ConnError {
  if (error instanceof ConnError) return error
  const code = codeOf(error)
  const detail = error instanceof Error ? `: ${error.message}` : ''
  // An HTTP/1 server answers the preface in its own way, or hangs up without a word.
  const notHttp2 = progress === 'connected' && (error === undefined || code.startsWith('ERR_HTTP2_'))
  if (code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' || notHttp2) {
    const hint = progress === 'connected' ? ' without TLS; if it speaks TLS, its URL begins with https:' : ''
    return new ConnError('HTTP2_NOT_SUPPORTED', `${authority} does not speak HTTP/2${hint}`, { cause: error })
  }
  if (
    /^(ERR_TLS_|ERR_SSL_|EPROTO|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_)/.test(code)
  ) {
    // OpenSSL's text names its own source files; what a reader needs is the code.
    const why = code === 'ERR_SSL_WRONG_VERSION_NUMBER' ? ': there is no TLS at that port' : `: ${briefly(error, code)}`
    return new ConnError('TLS_FAILED', `TLS with ${authority} failed${why}`, { cause: error })
  }
  if (progress === 'http2') {
    return new ConnError('CONNECTION_LOST', `the HTTP/2 connection to ${authority} was lost${detail}`, { cause: error })
  }
  return new ConnError('CONNECT_FAILED', `no connection to ${authority}${detail}`, { cause: error })
}

/** Why Node refused to send a request or a response. */
export function sendFailure(what: string, error: unknown): ConnError {
  const code = codeOf(error)
  const detail = error instanceof Error ? error.message : String(error)
  if (code === 'ERR_HTTP2_HEADERS_SENT') return new ConnError('ALREADY_RESPONDED', detail, { cause: error })
  if (code === 'ERR_HTTP2_INVALID_STREAM' || code === 'ERR_HTTP2_INVALID_SESSION') {
    return new ConnError('CONNECTION_LOST', `${what}: ${detail}`, { cause: error })
  }
  return new ConnError('INVALID_ARGUMENT', `${what}: ${detail}`, { cause: error })
}

/** Whether `session.request` failed because the session takes no new streams, so that another session may. */
export function isSessionSpent(error: unknown): boolean {
  return [
    'ERR_HTTP2_GOAWAY_SESSION',
    'ERR_HTTP2_INVALID_SESSION',
    'ERR_HTTP2_OUT_OF_STREAMS',
    'ERR_HTTP2_STREAM_CANCEL',
  ].includes(codeOf(error))
}

function briefly(error: unknown, code: string): string {
  return error instanceof Error && !error.message.includes('error:') ? error.message : code
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return ''
  return typeof error.code === 'string' ? error.code : ''
}
