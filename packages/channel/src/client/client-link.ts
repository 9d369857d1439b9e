/** The link of a client's channel: it continues on another request when its carrier is lost. */
import type { Conn, Http2Conn } from '@h2channel/conn'
import { connect, ConnError, mergeHeaders } from '@h2channel/conn'

import { ChannelError } from '../errors.ts'
import { createLink } from '../link/link-conn.ts'
import type { CarriedLink, LinkHost } from '../link/link-parts.ts'
import { linkHeader, linkValue, parseNewLink, parseResumed } from '../link/negotiate.ts'
import { systemClock } from '../runtime/clock.ts'
import type { Address } from './address-pool.ts'
import type { ClientSettings, OpenCall } from './open-call.ts'
import { requestHeaders } from './open-call.ts'
import { connErrorOf, openError, retryDelay } from './open-errors.ts'
import { sleep } from '../runtime/sleep.ts'

/** How many bytes the server may send beyond what was acknowledged, and the most that this side keeps for it. */
const window = 1024 * 1024

/** What a request says that asks for a link. */
export const askForLink: Readonly<Record<string, string>> = Object.freeze({
  [linkHeader]: linkValue('new', { window }),
})

/**
 * The conn of a channel whose request asked for a link: over a link if the server agreed, else `conn` itself.
 *
 * @throws ChannelError `BAD_RESPONSE` when the answer is malformed.
 */
export function linkedConn<C, S>(
  conn: Http2Conn,
  address: Address,
  call: OpenCall<C, S>,
  settings: ClientSettings,
): Conn {
  const header = conn.headers[linkHeader]
  if (header === undefined) return conn
  const agreed = parseNewLink(header)
  if (agreed === undefined) throw badLink(call.route.name)
  const { id, timeout } = agreed
  const host = new ClientLink(id, address, call, settings)
  const { limits, clock = systemClock } = settings
  const peerWindow = Math.min(window, agreed.window)
  const linked = createLink({ window, peerWindow, timeout, heartbeat: limits, clock, host })
  linked.link.attach(conn, 0)
  return linked.conn
}

class ClientLink<C, S> implements LinkHost {
  readonly #id: string
  /** Where the server is that knows the link. */
  readonly #address: Address
  // Its parts: the call itself has a shape of its own, which takes more memory than they do.
  readonly #route: OpenCall<C, S>['route']
  readonly #path: string
  readonly #options: OpenCall<C, S>['options']
  readonly #settings: ClientSettings
  /** Aborts when the link has ended. Made when its carrier is lost. */
  #ended: AbortController | undefined
  #isOver = false

  constructor(id: string, address: Address, call: OpenCall<C, S>, settings: ClientSettings) {
    this.#id = id
    this.#address = address
    this.#route = call.route
    this.#path = call.path
    this.#options = call.options
    this.#settings = settings
  }

  onDetached(link: CarriedLink, reason: unknown): void {
    this.#report({ type: 'reconnecting', error: reason })
    this.#ended ??= new AbortController()
    void this.#resume(link, this.#ended.signal)
  }

  onOver(): void {
    this.#isOver = true
    this.#ended?.abort(new ChannelError('CLOSED', 'the channel has ended'))
  }

  /** Sends requests until one continues the link, or none can. */
  async #resume(link: CarriedLink, signal: AbortSignal): Promise<void> {
    const { limits, clock } = this.#settings.addresses
    for (let failures = 0; !this.#isOver; failures++) {
      try {
        const { conn, received } = await this.#request(link.received, signal)
        if (this.#isOver) {
          conn.abort()
          return
        }
        link.attach(conn, received)
        this.#report({ type: 'resumed', carriers: link.carriers })
        return
      } catch (error) {
        if (signal.aborted) return
        if (isFinal(error)) {
          const message = `the channel could not be resumed: ${error.message}`
          link.lose(new ConnError('CONNECTION_LOST', message, { cause: error }))
          return
        }
        const refusal = error instanceof ChannelError ? error : undefined
        await sleep(clock, retryDelay(limits, failures, refusal), signal).catch(() => {})
      }
    }
  }

  /** To the server that knows the link, and to no other: the id is a secret. */
  async #request(
    received: number,
    signal: AbortSignal,
  ): Promise<{ readonly conn: Http2Conn; readonly received: number }> {
    const { url, prefix } = this.#address
    const path = prefix + this.#path
    const { tls, sessions } = this.#settings
    try {
      const { common, connectTimeout } = await requestHeaders(this.#settings, signal)
      const link = { [linkHeader]: linkValue(this.#id, { received }) }
      const headers = mergeHeaders(common, this.#options.headers, this.#route.headers, link)
      const { method } = this.#options
      const conn = await connect(url, { path, method, headers, signal, tls, sessions, connectTimeout })
      const theirs = conn.status === 200 ? parseResumed(conn.headers[linkHeader], this.#id) : undefined
      if (theirs !== undefined) return { conn, received: theirs }
      const error = badLink(this.#route.name)
      conn.abort(error)
      throw error
    } catch (error) {
      throw openError(error, path, signal)
    }
  }

  #report(
    event:
      | { readonly type: 'reconnecting'; readonly error: unknown }
      | { readonly type: 'resumed'; readonly carriers: number },
  ): void {
    this.#settings.addresses.report?.({ ...event, origin: this.#address.name, path: this.#route.name })
  }
}

/**
 * Whether the server, or what is before it, has answered that it never will. What the program's `headers` throws is no
 * answer: they may need the network, too.
 */
function isFinal(error: unknown): error is ChannelError {
  if (!(error instanceof ChannelError)) return false
  const status = connErrorOf(error)?.response?.status
  if (status !== undefined) return status < 500 && !error.retryable
  return !error.reopen && !error.retryable
}

function badLink(route: string): ChannelError {
  return new ChannelError('BAD_RESPONSE', `${route} was answered with a ${linkHeader} that means nothing here`)
}
