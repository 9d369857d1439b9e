/** The only file that knows Node's error codes and texts, and the codes of RST_STREAM. */
import type { Http2Session } from 'node:http2'
import { constants } from 'node:http2'

import type { ClientCertificate } from '../node/client-certificate.ts'
import { ConnError } from '../errors.ts'

/** The codes of RFC 9113, section 7, that this package sends or reacts to. */
export const RstCode: Readonly<Record<'NO_ERROR' | 'REFUSED_STREAM' | 'CANCEL' | 'ENHANCE_YOUR_CALM', number>> = {
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

/** Returns the code to reset a stream with that ends by an error: the `rstCode` of the error's cause, or CANCEL. */
export function resetCode({ cause }: ConnError): number {
  if (typeof cause !== 'object' || cause === null || !('rstCode' in cause)) return RstCode.CANCEL
  const { rstCode } = cause
  return typeof rstCode === 'number' && Number.isInteger(rstCode) && rstCode > 0 && rstCode <= 0xffff_ffff
    ? rstCode
    : RstCode.CANCEL
}

/** Makes the error of a stream that closed before both halves had ended. */
export function streamError(session: Http2Session | undefined, rstCode: number, error: unknown): ConnError {
  if (error instanceof ConnError) return error
  // The streams of a dying session show CANCEL or NO_ERROR, as if the peer had sent it (nodejs/node#24983).
  if (session === undefined || session.destroyed) {
    return new ConnError('CONNECTION_LOST', 'the HTTP/2 connection was lost', { cause: error })
  }
  const name = rstNames[rstCode] ?? `code ${rstCode}`
  return new ConnError('RESET', `the stream was reset with ${name}`, { cause: error, rstCode })
}

/** How far a session has come. */
export interface Progress {
  /**
   * The last step: none; a connection, with TLS if wanted; the peer's SETTINGS; or its acknowledgement of ours, before
   * which no request is sent.
   */
  readonly at: 'none' | 'connected' | 'http2' | 'open'
  /** Whether anything came from the peer, the TLS handshake apart. */
  readonly hasReceived: boolean
  /** Defined for TLS alone. */
  readonly certificate: ClientCertificate | undefined
}

/** Makes the error of a session that could not be opened, or that ended. */
export function sessionError(authority: string, error: unknown, progress: Progress): ConnError {
  if (error instanceof ConnError) return error
  const cause = { cause: error }
  const code = codeOf(error)
  const detail = error === undefined ? '' : `: ${describeError(error)}`
  const { at, hasReceived, certificate } = progress
  if (at === 'open') {
    return new ConnError('CONNECTION_LOST', `the HTTP/2 connection to ${authority} was lost${detail}`, cause)
  }
  // An HTTP/1 server answers the preface in its own way.
  const isOtherProtocol = at === 'connected' && hasReceived && !isTlsCode(code) && !isSystemCode(code)
  if (code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' || isOtherProtocol) {
    const isCleartext = isOtherProtocol && certificate === undefined
    const hint = isCleartext ? ' without TLS. If it speaks TLS, its URL must begin with https:' : ''
    return new ConnError('HTTP2_NOT_SUPPORTED', `${authority} does not speak HTTP/2${hint}`, cause)
  }
  if (isTlsCode(code)) {
    return new ConnError('TLS_FAILED', `TLS with ${authority} failed${tlsReason(error, code, certificate)}`, cause)
  }
  if (certificate !== undefined && certificate.wish !== 'unasked' && !certificate.isAccepted && !hasReceived) {
    const given = certificate.wish === 'missing' ? 'which the tls options lack, and' : 'was given one, and'
    const message = `TLS with ${authority} failed: it asks for a client certificate, ${given} hung up without an alert`
    return new ConnError('TLS_FAILED', message, cause)
  }
  const hangUp = at === 'none' ? '' : ': it hung up before it accepted a request'
  return new ConnError('CONNECT_FAILED', `no connection to ${authority}${detail === '' ? hangUp : detail}`, cause)
}

function isTlsCode(code: string): boolean {
  return /^(ERR_TLS_|ERR_SSL_|EPROTO|CERT_|CRL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_)/.test(
    code,
  )
}

/** Whether a code is of the operating system, such as ECONNRESET. */
function isSystemCode(code: string): boolean {
  return /^E[A-Z0-9]+$/.test(code)
}

function tlsReason(error: unknown, code: string, certificate: ClientCertificate | undefined): string {
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') return ': that port does not speak TLS'
  const [, alert] = /_ALERT_([A-Z_]+)$/.exec(code) ?? []
  if (alert === undefined) {
    // OpenSSL's text names its own source files, so that its code is more useful.
    return `: ${error instanceof Error && error.message.includes('error:') ? code : describeError(error)}`
  }
  const reason = `: it sent the alert "${alert.toLowerCase().replaceAll('_', ' ')}" (${code})`
  if (certificate === undefined || certificate.wish === 'unasked') return reason
  const hint = certificate.wish === 'missing' ? ', which the tls options lack' : ''
  return `${reason}, and asks for a client certificate${hint}`
}

/** Makes the error of a request or response that Node would not send. `what` begins its message. */
export function sendError(what: string, error: unknown): ConnError {
  if (error instanceof ConnError) return error
  const code = codeOf(error)
  const detail = describeError(error)
  if (code === 'ERR_HTTP2_HEADERS_SENT') return new ConnError('ALREADY_RESPONDED', detail, { cause: error })
  const isLost = code === 'ERR_HTTP2_INVALID_STREAM' || code === 'ERR_HTTP2_INVALID_SESSION'
  return new ConnError(isLost ? 'CONNECTION_LOST' : 'INVALID_ARGUMENT', `${what}: ${detail}`, { cause: error })
}

/** Whether `session.request` failed because the session accepts no new streams, so that another session may. */
export function isSessionExhausted(error: unknown): boolean {
  return [
    'ERR_HTTP2_GOAWAY_SESSION',
    'ERR_HTTP2_INVALID_SESSION',
    'ERR_HTTP2_OUT_OF_STREAMS',
    'ERR_HTTP2_STREAM_CANCEL',
  ].includes(codeOf(error))
}

/** Returns the text of an error, never empty. The error of a name with several addresses has a text for each. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.message !== '') return error.message
  const errors: unknown = 'errors' in error ? error.errors : undefined
  if (Array.isArray(errors) && errors.length > 0) return errors.map(describeError).join(', ')
  return codeOf(error) || error.name
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return ''
  return typeof error.code === 'string' ? error.code : ''
}
