/** How a conn or a channel ended, in one line. */
import type { ChannelClosed } from '@h2channel/channel'
import type { ConnClosed } from '@h2channel/conn'
import { ConnError } from '@h2channel/conn'

/** `clean`, or the code of the error, and that of a reset: `RESET 8`. */
export function describeEnd(closed: ConnClosed): string {
  return closed.clean ? 'clean' : describeConnError(closed.error)
}

/** `clean`, or the code of the error, and that of its conn: `CONN_LOST (RESET 2)`. */
export function describeChannelEnd(closed: ChannelClosed): string {
  if (closed.clean) return 'clean'
  const { code, cause } = closed.error
  return cause instanceof ConnError ? `${code} (${describeConnError(cause)})` : code
}

function describeConnError({ code, rstCode }: ConnError): string {
  return rstCode === undefined ? code : `${code} ${rstCode}`
}
