import type { Conn } from '@h2channel/conn'

import type { ChannelOptions } from '../core/channel-types.ts'
import { Channel } from '../core/channel.ts'
import type { Format } from './media-types.ts'

/** The header by which a peer announces that it understands control frames, and which version of them. */
export const controlHeader = 'h2channel'

/** The version of SPEC.md that this package speaks. */
export const version = 1

/** The version that a control header announces. Undefined for none, and for a header that is malformed or repeated. */
export function announcedVersion(value: string | readonly string[] | undefined): number | undefined {
  return typeof value === 'string' && /^[1-9]\d{0,8}$/.test(value) ? Number(value) : undefined
}

/** Makes a channel of a conn once both sides have agreed on the format of each direction. */
export function openChannel<S, R>(
  conn: Conn,
  send: Format<S>,
  receive: Format<R>,
  options: Omit<ChannelOptions<S, R>, 'framing' | 'receive' | 'send'>,
): Channel<S, R> {
  const { control, limits, onInvalid, onSlow, name, clock } = options
  const framing = { send: send.framing, receive: receive.framing }
  return new Channel<S, R>(conn, {
    send: send.codec,
    receive: receive.codec,
    framing,
    control,
    limits,
    onInvalid,
    onSlow,
    name,
    clock,
  })
}
