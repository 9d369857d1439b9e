/** The one file that knows Node's error strings and the codes of RST_STREAM. */
import type { Http2Session } from 'node:http2'
import { constants } from 'node:http2'

import type { ClientCertificate } from '../node/client-certificate.ts'
import { ConnError } from '../errors.ts'

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

/** How far a session came. */
export interface Progress {
  /**
   * No further than the socket; to a connection, with TLS where that was wanted; to the peer's SETTINGS; or to its
   * acknowledgement of ours, before which no request is sent.
   */
  readonly at: 'none' | 'connected' | 'http2' | 'open'
  /** Whether anything came from the peer, beside TLS. */
  readonly hasSpoken: boolean
  /** With TLS alone. */
  readonly certificate: ClientCertificate | undefined
}

/** Why a session could not be had, or ended before its stream was answered. */
export function connectFailure(authority: string, error: unknown, progress: Progress): ConnError {
  if (error instanceof ConnError) return error
  const cause = { cause: error }
  const code = codeOf(error)
  const detail = error === undefined ? '' : `: ${textOf(error)}`
  if (progress.at === 'open') {
    return new ConnError('CONNECTION_LOST', `the HTTP/2 connection to ${authority} was lost${detail}`, cause)
  }
  // An HTTP/1 server answers the preface in its own way.
  const isOtherProtocol = progress.at === 'connected' && progress.hasSpoken && !isTlsCode(code) && !isSystemCode(code)
  if (code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' || isOtherProtocol) {
    const hint =
      isOtherProtocol && progress.certificate === undefined
        ? ' without TLS; if it speaks TLS, its URL begins with https:'
        : ''
    return new ConnError('HTTP2_NOT_SUPPORTED', `${authority} does not speak HTTP/2${hint}`, cause)
  }
  if (isTlsCode(code)) {
    return new ConnError('TLS_FAILED', `TLS with ${authority} failed${tlsReason(error, code, progress)}`, cause)
  }
  const { certificate } = progress
  if (certificate !== undefined && certificate.wish !== 'unasked' && !certificate.isAccepted && !progress.hasSpoken) {
    const given =
      certificate.wish === 'missing' ? 'which the tls options do not have, and' : 'and when it had this one, it'
    const message = `TLS with ${authority} failed: it asks for a client certificate, ${given} hung up without a word`
    return new ConnError('TLS_FAILED', message, cause)
  }
  const hangUp = progress.at === 'none' ? '' : `: it hung up before it took a request`
  return new ConnError('CONNECT_FAILED', `no connection to ${authority}${detail === '' ? hangUp : detail}`, cause)
}

function isTlsCode(code: string): boolean {
  return /^(ERR_TLS_|ERR_SSL_|EPROTO|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_)/.test(
    code,
  )
}

/** Of the operating system, such as ECONNRESET. */
function isSystemCode(code: string): boolean {
  return /^E[A-Z0-9]+$/.test(code)
}

function tlsReason(error: unknown, code: string, { certificate }: Progress): string {
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') return ': there is no TLS at that port'
  const [, alert] = /_ALERT_([A-Z_]+)$/.exec(code) ?? []
  if (alert === undefined) return `: ${briefly(error, code)}`
  const said = `: it said "${alert.toLowerCase().replaceAll('_', ' ')}" (${code})`
  if (certificate === undefined || certificate.wish === 'unasked') return said
  return `${said}, and asks for a client certificate${certificate.wish === 'missing' ? ', which the tls options do not have' : ''}`
}

/** Why Node refused to send a request or a response. */
export function sendFailure(what: string, error: unknown): ConnError {
  if (error instanceof ConnError) return error
  const code = codeOf(error)
  const detail = textOf(error)
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

/** OpenSSL's text names its own source files; what a reader needs is the code. */
function briefly(error: unknown, code: string): string {
  return error instanceof Error && error.message.includes('error:') ? code : textOf(error)
}

/** What an error says, which is never nothing. Node's error for a name with several addresses has a text for each alone. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.message !== '') return error.message
  const errors: unknown = 'errors' in error ? error.errors : undefined
  if (Array.isArray(errors) && errors.length > 0) return errors.map(textOf).join(', ')
  return codeOf(error) || error.name
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return ''
  return typeof error.code === 'string' ? error.code : ''
}
