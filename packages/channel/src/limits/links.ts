/** The links of a router: its channels that outlive their connections, and which of them have none now. */
import type { Conn, Http2Conn } from '@h2channel/conn'
import { ConnError } from '@h2channel/conn'
import { Linked, LinkedList } from '@h2channel/conn/internal'
import { createHash, randomBytes } from 'node:crypto'
import type { Http2Session } from 'node:http2'

import { createLink } from '../link/link-conn.ts'
import type { CarriedLink, LinkHost } from '../link/link-parts.ts'
import type { Link } from '../link/link.ts'
import { linkValue } from '../link/negotiate.ts'
import type { ChannelLimits } from '../options.ts'
import { checkLimit } from '../options.ts'
import type { Format } from '../route/media-types.ts'
import type { Clock } from '../runtime/clock.ts'
import type { ChannelUsage } from './quota.ts'
import type { ResumeOptions, RouteResume } from './resume.ts'
import { resumeDefaults } from './resume.ts'

/** What the channel above a link learns. */
export interface LinkUser {
  /** The link's memory has changed. May end the channel. */
  onHeld(change: number): void
  /** The connection was lost, and the channel waits for its client. */
  onDetached(reason: unknown): void
  /** The client is back, on `conn`, authorized as `auth`. */
  onResumed(conn: Http2Conn, auth: unknown): void
  /** What `authorize` returned last. */
  readonly auth: unknown
  /** `undefined` once the channel has ended: it has given its place back. */
  readonly usage: ChannelUsage | undefined
}

/** A link of a router. */
export class ServerLink extends Linked<ServerLink> implements LinkHost {
  /** The route and the path, which alone continue it: `authorize` decided for them. */
  readonly served: object
  readonly path: string | undefined
  /** The format that its server sends. */
  readonly send: Format<unknown>
  readonly link: Link
  /** The conn of the channel. */
  readonly conn: Conn
  /** The hash of its id: the id is a secret, and so it is not kept. */
  readonly key: string
  /** Set before anything can arrive. */
  user: LinkUser | undefined
  /** The connection of its carrier. */
  session: Http2Session | undefined
  /** How many requests for it are being authorized. */
  authorizing = 0
  readonly #links: Links

  constructor(
    links: Links,
    key: string,
    served: object,
    path: string | undefined,
    send: Format<unknown>,
    peerWindow: number,
    parts: LinkSettings,
  ) {
    super()
    this.#links = links
    this.key = key
    this.served = served
    this.path = path
    this.send = send
    const { timeout, window, limits, clock } = parts
    const created = createLink({
      // What this side keeps for a client is bounded here, whatever the client would take.
      peerWindow: Math.min(peerWindow, window),
      window,
      timeout,
      heartbeat: limits,
      clock,
      host: this,
    })
    this.link = created.link
    this.conn = created.conn
  }

  onDetached(_link: CarriedLink, reason: unknown): void {
    this.session = undefined
    this.#links.detached(this)
    this.user?.onDetached(reason)
  }

  onHeld(_link: CarriedLink, change: number): void {
    this.#links.held(this, change)
    this.user?.onHeld(change)
  }

  onOver(): void {
    this.#links.remove(this)
  }

  /** The channel has ended. Its client may return once more, to learn of it. */
  onChannelEnd(): void {
    const { auth } = this.user ?? {}
    this.user = { auth, usage: undefined, onHeld: ignore, onDetached: ignore, onResumed: ignore }
    this.#links.channelEnded(this)
  }
}

const ignore = (): void => {}

interface LinkSettings {
  readonly timeout: number
  readonly window: number
  readonly limits: ChannelLimits
  readonly clock: Clock
}

export class Links {
  readonly #maxDetached: number
  readonly #maxBufferedBytes: number
  readonly #clock: Clock
  readonly #byKey = new Map<string, ServerLink>()
  /** In the order in which they lost their carriers. */
  readonly #detached = new LinkedList<ServerLink>()
  /** Those without a carrier whose channels have ended. Their clients may not know yet. */
  readonly #ended = new LinkedList<ServerLink>()
  /** Of both lists. */
  #detachedBytes = 0

  /** @throws ChannelError `INVALID_ARGUMENT` for an invalid limit. */
  constructor(options: ResumeOptions | boolean | undefined, clock: Clock) {
    const given = typeof options === 'object' ? options : {}
    this.#maxDetached = given.maxDetached ?? resumeDefaults.maxDetached
    this.#maxBufferedBytes = given.maxBufferedBytes ?? resumeDefaults.maxBufferedBytes
    this.#clock = clock
    checkLimit('resume.maxDetached', this.#maxDetached)
    checkLimit('resume.maxBufferedBytes', this.#maxBufferedBytes)
  }

  /** How many channels have no connection now. */
  get detachedCount(): number {
    return this.#detached.size
  }

  /** Makes a link for a new channel. Only the header has its id. */
  create(
    served: object,
    path: string | undefined,
    send: Format<unknown>,
    resume: NonNullable<RouteResume>,
    limits: ChannelLimits,
    peerWindow: number,
  ): { readonly link: ServerLink; readonly header: string } {
    const id = randomBytes(18).toString('base64url')
    const link = new ServerLink(this, keyOf(id), served, path, send, peerWindow, {
      ...resume,
      limits,
      clock: this.#clock,
    })
    this.#byKey.set(link.key, link)
    const { window, timeout } = resume
    return { link, header: linkValue(id, { window, timeout }) }
  }

  /** Finds the link with this id, for a request with the same path. By its hash, so that the time tells nothing. */
  find(id: string, served: object, path: string | undefined): ServerLink | undefined {
    const link = this.#byKey.get(keyOf(id))
    return link?.served === served && link.path === path ? link : undefined
  }

  detached(link: ServerLink): void {
    if (link.link.isOver || link.list !== undefined) return
    const list = link.user?.usage === undefined ? this.#ended : this.#detached
    list.add(link)
    this.#detachedBytes += link.link.held
    this.#shrink()
  }

  attached(link: ServerLink): void {
    if (this.#detached.delete(link) || this.#ended.delete(link)) this.#detachedBytes -= link.link.held
  }

  channelEnded(link: ServerLink): void {
    if (this.#detached.delete(link)) this.#ended.add(link)
  }

  held(link: ServerLink, change: number): void {
    if (link.list === undefined) return
    this.#detachedBytes += change
    this.#shrink()
  }

  remove(link: ServerLink): void {
    this.attached(link)
    this.#byKey.delete(link.key)
  }

  #shrink(): void {
    const isTooMuch = (): boolean =>
      this.#detached.size + this.#ended.size > this.#maxDetached || this.#detachedBytes > this.#maxBufferedBytes
    while (isTooMuch()) {
      const first = this.#ended.first ?? this.#detached.first
      if (first === undefined) return
      this.attached(first)
      const message = 'the connection was lost, and too many channels waited for their clients'
      first.link.lose(new ConnError('CONNECTION_LOST', message))
    }
  }
}

function keyOf(id: string): string {
  return createHash('sha256').update(id).digest('base64url')
}
