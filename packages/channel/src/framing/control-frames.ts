import type { ByteWriter } from '@h2channel/codecs'

import { ChannelError, printable } from '../errors.ts'
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

const utf8 = new TextEncoder()
const text = new TextDecoder()

function invalid(what: string): ChannelError {
  return new ChannelError('INVALID_FRAME', `a control frame ${what}`)
}
