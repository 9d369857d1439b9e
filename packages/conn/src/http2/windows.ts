import type { Http2Session } from 'node:http2'

import { connDefaults } from '../limits.ts'

const widened = new WeakSet<Http2Session>()

/**
 * Raises both receive windows of a session to this package's defaults; a wider one stays as it is. `initialWindowSize`
 * alone does not help: the connection's window, which all streams share, stays at 65,535 bytes until it is raised by
 * itself (nodejs/node#31084, #38426).
 *
 * `accept` does this with the first stream of a session. Doing it when a server's `session` event comes saves the round
 * trip in which the first client still sees the small windows.
 */
export function widenWindows(session: Http2Session): void {
  if (widened.has(session) || session.destroyed) return
  widened.add(session)
  const { streamWindow, connectionWindow } = connDefaults
  if ((session.state.effectiveLocalWindowSize ?? 0) < connectionWindow) session.setLocalWindowSize(connectionWindow)
  const raise = (): void => {
    const isNarrow = (session.localSettings.initialWindowSize ?? 0) < streamWindow
    if (isNarrow && !session.destroyed) session.settings({ initialWindowSize: streamWindow })
  }
  // What a server was told to set shows only once its client has acknowledged it.
  if (session.pendingSettingsAck) session.once('localSettings', raise)
  else raise()
}
