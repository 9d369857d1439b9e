import type { Http2Session, Http2Stream, IncomingHttpHeaders } from 'node:http2'
import { sensitiveHeaders } from 'node:http2'

import type { Http2Transport, UnreadWatcher } from './http2-stream.ts'
import { inspectAs } from '../runtime/inspect-as.ts'
import { StreamConn } from '../core/stream-conn.ts'
import type { CloseTimeouts } from '../limits.ts'

/** The address of one end of a connection. */
export interface Address {
  readonly address: string
  /** Zero for a Unix socket. */
  readonly port: number
}

/** The head of a request and of its response, seen from one side. */
export interface RequestInfo {
  readonly side: 'client' | 'server'
  readonly method: string
  /** The path with its query, as sent. */
  readonly path: string
  readonly status: number
  /** The headers of the peer: of the response on the client, of the request on the server. Each conn has a copy. */
  readonly headers: IncomingHttpHeaders
}

/**
 * A conn over one HTTP/2 stream, made by `connect` or `accept`. Logs and JSON show it without headers and query.
 *
 * `abort(reason)` resets the stream with `reason.rstCode` if the reason has one, and with CANCEL otherwise. A client
 * sends at most 500 resets at once on one connection, and 30 a second after that. Further resets wait, but `closed`
 * does not.
 */
export class Http2Conn extends StreamConn implements RequestInfo {
  static {
    Object.defineProperties(
      this.prototype,
      inspectAs<Http2Conn>((conn) => ({
        side: conn.side,
        method: conn.method,
        path: conn.path.split('?', 1)[0],
        status: conn.status,
        localAddress: conn.localAddress,
        remoteAddress: conn.remoteAddress,
        streamId: conn.streamId,
        ...StreamConn.halvesOf(conn),
      })),
    )
  }

  readonly side: 'client' | 'server'
  readonly method: string
  readonly path: string
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly localAddress: Address
  readonly remoteAddress: Address
  /** The identifier of the stream within its connection. */
  readonly streamId: number

  readonly #transport: Http2Transport

  /** Called by `connect` and `accept`, since its transport is private to this package. */
  constructor(stream: Http2Stream, transport: Http2Transport, info: RequestInfo, timeouts: CloseTimeouts) {
    const shared = sharedOf(stream)
    super(transport, timeouts)
    this.#transport = transport
    this.side = info.side
    this.method = info.method
    this.path = info.path
    this.status = info.status
    this.headers = compact(info.headers, shared.texts)
    this.localAddress = shared.local
    this.remoteAddress = shared.remote
    this.streamId = stream.id ?? 0
    compactSentHeaders(stream, shared.sentHeaders)
  }

  /**
   * Notifies `watcher` of each change in the number of the peer's bytes that lie unread beyond what the conn reads
   * ahead. There can be as many as the stream's window. The watcher may abort the conn.
   */
  watchUnread(watcher: UnreadWatcher): void {
    this.#transport.watchUnread(watcher)
  }
}

/** What the conns of a session share. */
interface Shared {
  /** Frozen. */
  readonly local: Address
  readonly remote: Address
  /** Short texts of headers, by name. Most of them come again with the next conn, as new texts. */
  readonly texts: Map<string, string>
  /** Where Node keeps the headers that a stream has sent. */
  readonly sentHeaders: symbol | undefined
}

const sharedBySession = new WeakMap<Http2Session, Shared>()

function sharedOf(stream: Http2Stream): Shared {
  const { session } = stream
  const known = session && sharedBySession.get(session)
  if (known !== undefined) return known
  const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = session?.socket ?? {}
  const shared = {
    local: Object.freeze({ address: localAddress, port: localPort }),
    remote: Object.freeze({ address: remoteAddress, port: remotePort }),
    texts: new Map(),
    sentHeaders: Object.getOwnPropertySymbols(stream).find(({ description }) => description === 'sent-headers'),
  }
  if (session !== undefined) sharedBySession.set(session, shared)
  return shared
}

const noNames: string[] = []
Object.freeze(noNames)

/**
 * Copies headers into a fifth of the memory. Node creates them without a prototype: in V8, that is a hash table. The
 * prototype is taken from an empty object, and the values are copied one by one, since a spread takes three times as
 * long. With `texts`, a short text that is there already is taken from there.
 */
function compact(headers: IncomingHttpHeaders, texts?: Map<string, string>): IncomingHttpHeaders {
  const copy = Object.setPrototypeOf({}, null) as IncomingHttpHeaders
  for (const name in headers) {
    const value = headers[name]
    const mayShare = texts !== undefined && typeof value === 'string' && value.length <= maxShared
    copy[name] = mayShare ? sharedText(texts, name, value) : value
  }
  const names = Reflect.get(headers, sensitiveHeaders) as string[] | undefined
  Reflect.set(copy, sensitiveHeaders, names?.length === 0 ? noNames : names)
  return copy
}

/** The longest text that a session keeps, and how many of them: 4 KiB a session, since nothing counts it. */
const maxShared = 128
const maxTexts = 32

/** What a session must not keep for longer than the conns that have it. */
const credentials = new Set(['authorization', 'cookie', 'proxy-authorization'])

/** The text that a conn before had for this name, if it is the same. */
function sharedText(texts: Map<string, string>, name: string, value: string): string {
  const known = texts.get(name)
  if (known === value) return known
  const isKept = known !== undefined || (texts.size < maxTexts && name.length <= maxShared && !credentials.has(name))
  if (isKept) texts.set(name, value)
  return value
}

/** Gives back the memory of the hash table in which Node keeps the headers that a stream has sent. */
function compactSentHeaders(stream: Http2Stream, key: symbol | undefined): void {
  if (key === undefined || stream.sentHeaders === undefined) return
  Reflect.set(stream, key, compact(stream.sentHeaders as IncomingHttpHeaders))
}
