import { ChannelError } from '../errors.ts'

/** The errors of calls that came after their own side had ended the channel, or the half that they are about. */
const ownEnds = new WeakMap<ChannelError, object>()

/** The error of such a call. `conn` is the channel's. */
export function closedHere(what: string, conn: object): ChannelError {
  const error = new ChannelError('CLOSED', what)
  ownEnds.set(error, conn)
  return error
}

/** Whether `error` says no more than that this side has ended the channel on `conn`, or a half of it. */
export function isOwnEnd(error: unknown, conn: object): boolean {
  return error instanceof ChannelError && ownEnds.get(error) === conn
}
