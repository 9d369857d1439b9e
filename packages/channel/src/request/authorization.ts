import { holdUnread } from '@h2channel/conn'
import { abortable } from '@h2channel/conn/internal'

import { ChannelError, textOf } from '../errors.ts'
import type { Rejection } from '../limits/rejection.ts'
import { unavailable } from '../limits/rejection.ts'
import type { Authorize } from './authorize.ts'
import { expiryOf, toRejection } from './authorize.ts'
import { isExpired } from './handler-context.ts'
import type { OpenRequest } from './request.ts'
import { reportError, toChannelRequest } from './request.ts'
import { failedToOpen } from './respond.ts'

/** Calls `authorize`, for as long as it may take and the client stays. */
export async function authorize<Auth>(
  request: OpenRequest<Auth>,
  decide: Authorize<Auth>,
  resumes?: { readonly auth: unknown },
): Promise<{ readonly auth: Auth } | Rejection> {
  const { stream, router } = request
  // The error of a client that leaves now would end the process otherwise.
  stream.on('error', () => {})
  const controller = new AbortController()
  const { signal } = controller
  router.drain.authorizing.add(controller)
  const onClose = (): void => controller.abort(new ChannelError('PEER_ABORTED', 'the client left'))
  stream.once('close', onClose)
  const timer = router.clock.setTimer(onTimeout, router.authorizeTimeout, controller)
  // The client may not be allowed to send anything, and no limit counts what arrives before there is a channel.
  const release = holdUnread(stream)
  const channelRequest = toChannelRequest(request, signal, resumes)
  try {
    request.authorization = (async () => decide(channelRequest))()
    const auth = await abortable(request.authorization, signal)
    return isExpired(expiryOf(auth)) ? { status: 401, message: 'the credentials have expired' } : { auth }
  } catch (error) {
    if (signal.aborted) return unavailable(textOf(signal.reason))
    const rejection = toRejection(error)
    if (rejection === undefined) reportError(request, error, channelRequest)
    return rejection ?? failedToOpen
  } finally {
    router.clock.clearTimer(timer)
    router.drain.authorizing.delete(controller)
    stream.off('close', onClose)
    release()
  }
}

function onTimeout(controller: AbortController): void {
  controller.abort(new ChannelError('TIMEOUT', 'authorization took too long'))
}
