import type { Http2Conn } from '@h2channel/conn'

import type { Channel } from '../core/channel.ts'
import { coreOf } from '../core/channel.ts'
import { ChannelError, isReported } from '../errors.ts'
import type { Grant } from '../limits/admission.ts'
import type { LinkUser, ServerLink } from '../limits/links.ts'
import type { ChannelUsage } from '../limits/quota.ts'
import type { OpenRequestEvent } from '../observe/diagnostics.ts'
import { diagnostics, publishingSlow } from '../observe/diagnostics.ts'
import { openChannel } from '../route/negotiate.ts'
import { expiryOf } from './authorize.ts'
import type { HandlerContext } from './handler-context.ts'
import { createContext, LazyContext } from './handler-context.ts'
import type { Formats, OpenRequest, RouterState, ServedRoute } from './request.ts'
import { reportError } from './request.ts'

/** Creates the channel, over `linked` if it has a link, and calls the handler. */
export function startChannel<Auth>(
  { router, served, params, session, event }: OpenRequest<Auth>,
  conn: Http2Conn,
  linked: ServerLink | undefined,
  { receive, send }: Formats,
  grant: Grant,
  auth: Auth,
  control: boolean,
): void {
  const { onInvalid, onSlow } = served
  const lazy = new LazyContext(conn.path, router.clock, served.ages.expiryGrace)
  const context = createContext(params, conn, auth, lazy)
  const channel: Channel<unknown, unknown> = openChannel(linked?.conn ?? conn, send, receive, {
    control,
    limits: served.limits,
    onInvalid: onInvalid && ((error) => onInvalid(error, context)),
    onSlow: publishingSlow(onSlow && ((waited) => onSlow(waited, context)), event, () => channel),
    name: served.route.path,
    clock: router.clock,
  })
  const usage = router.admission.add(channel, linked === undefined ? conn : undefined, grant)
  const run = { router, served, event, usage, linked, context, lazy }
  if (linked !== undefined) {
    linked.session = session
    linked.user = new LinkedRun(run)
    linked.link.attach(conn, 0)
  }
  if (served.ages.maxAge !== undefined) router.drain.limitAge(channel, linked ?? { session }, served.ages)
  if (router.drain.hasBegun) coreOf(channel).startDraining()
  if (event !== undefined) diagnostics.open.publish({ opening: event, channel })
  runHandler(run)
}

/** What a handler that runs keeps: little of the request, since all of that stays in memory. */
interface Run<Auth> {
  readonly router: RouterState<Auth>
  readonly served: ServedRoute<Auth>
  readonly event: OpenRequestEvent | undefined
  readonly usage: ChannelUsage
  readonly linked: ServerLink | undefined
  readonly context: HandlerContext<string, Auth>
  readonly lazy: LazyContext
}

/** What a channel does when its connection changes. */
class LinkedRun<Auth> implements LinkUser {
  readonly #run: Run<Auth>

  constructor(run: Run<Auth>) {
    this.#run = run
  }

  get usage(): ChannelUsage {
    return this.#run.usage
  }

  get auth(): Auth {
    return this.#run.context.auth
  }

  onHeld(change: number): void {
    this.usage.onHeld(change)
  }

  onDetached(reason: unknown): void {
    const { router, event, usage } = this.#run
    router.admission.detach(usage)
    if (event !== undefined) diagnostics.detach.publish({ opening: event, channel: usage.channel, reason })
  }

  onResumed(conn: Http2Conn, auth: unknown): void {
    const { event, usage, context, lazy } = this.#run
    // The handler keeps its context, which says whose channel it is now.
    Object.assign(context, { auth, conn, headers: conn.headers })
    // Without another time, that of before holds: a resume prolongs nothing.
    const expiresAt = expiryOf(auth)
    if (expiresAt !== undefined) lazy.expiresAt = expiresAt
    if (event !== undefined) diagnostics.resume.publish({ opening: event, channel: usage.channel })
  }
}

const { then } = Promise.prototype

/** Calls the handler, then closes the channel. An async function that waits for it would take twice as much memory. */
function runHandler<Auth>(run: Run<Auth>): void {
  const { usage, context, lazy } = run
  let ended: Promise<void>
  try {
    lazy.start(usage.channel, expiryOf(context.auth))
    ended = Promise.resolve(callHandler(run))
  } catch (error) {
    ended = Promise.reject(error)
  }
  // Not the promise's own method, which may throw.
  void then.call(
    ended,
    () => onHandlerEnd(run, undefined),
    (error: unknown) => onHandlerEnd(run, { error }),
  )
}

async function onHandlerEnd<Auth>(
  { router, served, event, usage, linked, context, lazy }: Run<Auth>,
  thrown: { readonly error: unknown } | undefined,
): Promise<void> {
  const { channel } = usage
  if (thrown !== undefined) {
    const { error } = thrown
    const isOutcome = coreOf(channel).isOutcome(error) || lazy.isReason(error)
    const failure = new ChannelError('INTERNAL', 'the handler failed', { side: 'local', cause: error })
    const closing = isOutcome ? undefined : coreOf(channel).onHandlerError(failure)
    // A handler that ends because its own channel ended, at either end, has not failed.
    if (!isOutcome || isReported(error)) reportError({ router, served }, error, context, isOutcome)
    await closing
  }
  // `closed` says what could not be delivered.
  try {
    await channel.close()
  } catch {}
  lazy.release()
  router.admission.remove(usage)
  linked?.onChannelEnd()
  if (event !== undefined) diagnostics.close.publish({ opening: event, channel, closed: await channel.closed })
  router.drain.checkIdle()
}

/** Calls the handler, where a subscriber wants it. */
function callHandler<Auth>({ served, event, usage, context }: Run<Auth>): void | Promise<void> {
  if (event?.runHandler === undefined) return served.handler(usage.channel, context)
  return event.runHandler(async () => served.handler(usage.channel, context))
}
