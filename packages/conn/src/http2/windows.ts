import type { Http2Session } from 'node:http2'

import { connLimits } from '../limits.ts'

const widened = new WeakSet<Http2Session>()

/**
 * Raises both receive windows of a session to the defaults of this package. A wider one stays as it is.
 * `initialWindowSize` alone does not help, since the window of the connection, which all streams share, stays at 65,535
 * bytes (nodejs/node#31084, #38426).
 *
 * `accept` does this with the first stream of a session. Call it in the `session` event of a server to save the round
 * trip in which the first client still sees the small windows.
 */
export function widenWindows(session: Http2Session): void {
  if (widened.has(session) || session.destroyed) return
  widened.add(session)
  const { streamWindow, connectionWindow } = connLimits
  if ((session.state.effectiveLocalWindowSize ?? 0) < connectionWindow) session.setLocalWindowSize(connectionWindow)
  const raise = (): void => {
    const isNarrow = (session.localSettings.initialWindowSize ?? 0) < streamWindow
    if (isNarrow && !session.destroyed) session.settings({ initialWindowSize: streamWindow })
  }
  // A server's own settings show only once its client has acknowledged them.
  if (session.pendingSettingsAck) session.once('localSettings', raise)
  else raise()
}
