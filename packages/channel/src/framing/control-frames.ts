import type { ByteWriter } from '@h2channel/codecs'

import type { ChannelErrorCode, Side } from '../errors.ts'
import { ChannelError } from '../errors.ts'
import { largestControl, lengthPrefixed, markControl } from './length-prefixed.ts'

/**
 * What control frames say. The first byte of the body is the type; a type that is not known is passed over, so that
 * later versions can add some.
 */
export type Control =
  /** The sender of this frame ends the channel because of an error. Nothing follows it. */
  | { readonly type: 'close'; readonly code: string; readonly reason: string }
  /** The sender of this frame reads no more messages, and goes on sending. */
  | { readonly type: 'stop' }
  /** To be answered with a pong of the same bytes. */
  | { readonly type: 'ping' | 'pong'; readonly opaque: Uint8Array }
  /** The sender of this frame will be gone soon. */
  | { readonly type: 'draining' }

const closeType = 1
const typesOf = { stop: 2, ping: 3, pong: 4, draining: 5 } as const

/** Appends a control frame. */
export function encodeControl(control: Control, out: ByteWriter): void {
  const start = out.position
  lengthPrefixed().begin(out)
  if (control.type === 'close') {
    const code = utf8.encode(control.code)
    out.write(Uint8Array.of(closeType, code.length))
    out.write(code)
    out.write(utf8.encode(control.reason))
  } else {
    out.write(Uint8Array.of(typesOf[control.type]))
    if ('opaque' in control) out.write(control.opaque)
  }
  lengthPrefixed().end(out, start, largestControl)
  markControl(out, start)
}

/**
 * Reads the body of a control frame. `null` for a type that is not known here.
 *
 * @throws ChannelError `INVALID_FRAME` when the body is not of its type.
 */
export function decodeControl(body: Uint8Array): Control | null {
  const [type, codeSize = 0] = body
  if (type === undefined) throw invalid('of no bytes')
  if (type === typesOf.stop) return { type: 'stop' }
  if (type === typesOf.draining) return { type: 'draining' }
  if (type === typesOf.ping) return { type: 'ping', opaque: body.slice(1) }
  if (type === typesOf.pong) return { type: 'pong', opaque: body.slice(1) }
  if (type !== closeType) return null
  if (body.length < 2 + codeSize || codeSize === 0) throw invalid('without its code')
  const code = text.decode(body.subarray(2, 2 + codeSize))
  if (!/^[A-Z][A-Z0-9_]*$/.test(code)) throw invalid('whose code is none')
  return { type: 'close', code, reason: printable(text.decode(body.subarray(2 + codeSize))) }
}

/** What the other side wrote, without what a terminal or a log would take for something else. */
export function printable(foreign: string): string {
  return foreign.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
}

/** The start of what the other side wrote, for a text of this side's. `most` is in characters. */
export function excerpt(foreign: string, most = 200): string {
  return foreign.length <= most ? foreign : `${foreign.slice(0, most - 1)}…`
}

const utf8 = new TextEncoder()
const text = new TextDecoder()

function invalid(what: string): ChannelError {
  return new ChannelError('INVALID_FRAME', `a control frame ${what}`)
}

/**
 * What a close code of the peer means here. Where the peer refused what this side did, this side broke the rule. `of` is what errors
 * call the channel by.
 */
export function closeError(code: string, reason: string, of?: string, cause?: unknown): ChannelError {
  const detail = reason === '' ? '' : `: ${reason}`
  const known = meanings.find(([name]) => name === code)
  if (known === undefined) {
    return new ChannelError('PEER_ABORTED', `${named(of)}the peer closed the channel (${code})${detail}`, { cause })
  }
  const [name, side, meaning] = known
  return new ChannelError(name, `${named(of)}${meaning}${detail}`, { side, fatal: true, cause })
}

/** How an error's text begins, for who has many channels. */
export function named(of: string | undefined): string {
  return of === undefined ? '' : `${of}: `
}

const meanings: readonly (readonly [ChannelErrorCode, Side, string])[] = [
  ['GOING_AWAY', 'remote', 'the peer ended the channel to stop'],
  ['INTERNAL', 'remote', 'the peer failed'],
  ['INVALID_FRAME', 'local', 'the peer refused what this side sent (INVALID_FRAME)'],
  ['INVALID_MESSAGE', 'local', 'the peer refused what this side sent (INVALID_MESSAGE)'],
  ['MESSAGE_TOO_LARGE', 'local', 'the peer refused what this side sent (MESSAGE_TOO_LARGE)'],
  ['PEER_TOO_SLOW', 'local', 'this side read too slowly for the peer'],
  ['RATE_LIMITED', 'local', 'this side sent more at a time than the peer allows'],
  ['TRUNCATED_FRAME', 'local', 'the peer refused what this side sent (TRUNCATED_FRAME)'],
  ['UNAUTHENTICATED', 'remote', "this side's credentials have ended"],
]
