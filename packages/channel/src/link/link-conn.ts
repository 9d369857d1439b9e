import type { Conn } from '@h2channel/conn'
import { connDefaults, StreamConn } from '@h2channel/conn/web'

import { linkedConns } from '../runtime/linked-conns.ts'
import type { LinkParts } from './link-parts.ts'
import { Link } from './link.ts'

/** A link, and the conn that it carries. */
export interface LinkedConn {
  readonly link: Link
  readonly conn: Conn
}

/** Makes a link, and a conn over it. Attach a carrier to the link. */
export function createLink(parts: LinkParts): LinkedConn {
  const link = new Link(parts)
  // A close waits for the peer to return, for as long as the link does.
  const conn = new StreamConn(link, { closeTimeout: connDefaults.closeTimeout + parts.timeout })
  linkedConns.set(conn, link)
  return { link, conn }
}
