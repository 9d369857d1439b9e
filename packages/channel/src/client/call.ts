/** What a call does once its channel is open. */
import { addAbortListener, removeAbortListener } from '@h2channel/conn'

import type { Channel } from '../core/channel.ts'
import { coreOf } from '../core/channel.ts'
import { abortError, ChannelError } from '../errors.ts'

/**
 * Receives the one message of a server, on a channel whose message and end have left with its request. The channel ends
 * in any case: after the reply, since both sides have ended their halves, and by a reset after an error.
 *
 * @param path - the path of the route, for the errors.
 * @throws ChannelError that of `client.call`.
 */
export async function receiveReply<S>(
  channel: Channel<never, S>,
  path: string,
  signal: AbortSignal | null | undefined,
): Promise<S> {
  const core = coreOf(channel)
  let hasReply = false
  const onAbort = (): void => {
    const state = hasReply ? ' (its reply has arrived, but the server has not ended its half)' : ''
    core.reset(abortError(`the call of ${path}${state}`, signal?.reason))
  }
  if (signal?.aborted === true) onAbort()
  if (signal) addAbortListener(signal, onAbort)
  try {
    const reply = await channel.receive()
    if (reply === undefined) throw new ChannelError('NO_REPLY', `${path}: the server ended without a reply`)
    hasReply = true
    if ((await channel.receive()) !== undefined) {
      const what = `${path}: the server sent a second message in reply to a call; a route that streams needs open`
      const error = new ChannelError('INVALID_MESSAGE', what)
      core.closeWithError(error)
      throw error
    }
    return reply
  } finally {
    if (signal) removeAbortListener(signal, onAbort)
    // A server may answer before it has read all of the message. It may still want the rest, but not for ever.
    if (core.sender.isEnding) channel.close().catch(() => {})
  }
}
