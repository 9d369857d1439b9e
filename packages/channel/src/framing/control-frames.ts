import type { ByteWriter } from '@h2channel/codecs'

import { ChannelError, printable } from '../errors.ts'
import type { Framing } from './framing.ts'
import { maxControlBytes } from './framing.ts'

/**
 * What a control frame says. The first byte of the body is the type. Unknown types are ignored, so that later versions
 * can add some.
 */
export type Control =
  /** The sender of this frame ends the channel because of an error. Nothing follows it. */
  | { readonly type: 'close'; readonly code: string; readonly reason: string }
  /** The sender of this frame reads no more messages, and may still send. */
  | { readonly type: 'stop' }
  /** To be answered with a pong of the same bytes. */
  | { readonly type: 'ping' | 'pong'; readonly opaque: Uint8Array }
  /** The channel should end soon. */
  | { readonly type: 'draining' }

const closeType = 1
const typesOf = { stop: 2, ping: 3, pong: 4, draining: 5 } as const

/** Appends a control frame. `framing` is that of the messages. */
export function encodeControl(control: Control, framing: Framing, out: ByteWriter): void {
  const start = out.position
  framing.begin(out)
  if (control.type === 'close') {
    const code = utf8.encode(control.code)
    out.write(Uint8Array.of(closeType, code.length))
    out.write(code)
    out.write(utf8.encode(control.reason))
  } else {
    out.write(Uint8Array.of(typesOf[control.type]))
    if ('opaque' in control) out.write(control.opaque)
  }
  framing.end(out, start, maxControlBytes)
  framing.markControl?.(out, start)
}

/**
 * Reads the body of a control frame. Returns `null` for an unknown type. A close that is malformed has no code: it ends
 * the channel all the same.
 *
 * @throws ChannelError `INVALID_FRAME` when the body is empty.
 */
export function decodeControl(body: Uint8Array): Control | null {
  const [type, codeSize = 0] = body
  if (type === undefined) throw new ChannelError('INVALID_FRAME', 'a control frame of no bytes')
  if (type === typesOf.stop) return { type: 'stop' }
  if (type === typesOf.draining) return { type: 'draining' }
  if (type === typesOf.ping) return { type: 'ping', opaque: body.slice(1) }
  if (type === typesOf.pong) return { type: 'pong', opaque: body.slice(1) }
  if (type !== closeType) return null
  const code = text.decode(body.subarray(2, 2 + codeSize))
  if (code.length !== codeSize || !isCloseCode(code)) return { type: 'close', code: '', reason: '' }
  return { type: 'close', code, reason: printable(text.decode(body.subarray(2 + codeSize))) }
}

const utf8 = new TextEncoder()
const text = new TextDecoder()

/** Whether a peer understands `code` in a close frame. */
export function isCloseCode(code: string): boolean {
  return /^[A-Z][A-Z\d_]{0,63}$/.test(code)
}
