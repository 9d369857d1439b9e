/** The addresses of a client's service: which is next, and which are better left alone for a while. */
import type { OnClientEvent } from './events.ts'
import type { Clock } from '../runtime/clock.ts'
import { ChannelError } from '../errors.ts'
import { availability, retryAfter } from './open-errors.ts'
import type { RetryLimits } from './retry.ts'
import { Backoff } from './retry.ts'

/** Where a service is. */
export interface Address {
  readonly url: URL
  /** How events name it. */
  readonly name: string
}

/**
 * Whether an address takes part:
 *
 *     available ──cannot be reached, drains──▶ aside ──again──▶ aside, for longer
 *         ▲──────────────answers─────────────────┘
 */
type State =
  | { readonly at: 'available' }
  | {
      readonly at: 'aside'
      /** By the clock. From then on it is tried, but by one `open` in `delay` milliseconds alone. */
      readonly until: number
      readonly delay: number
      readonly backoff: Backoff
    }

interface Entry extends Address {
  state: State
  /** How often it was put aside. */
  failures: number
}

/** One attempt at an address. */
export interface Turn {
  readonly address: Address
  succeeded(): void
  failed(error: unknown): void
}

/**
 * @param hasTls - whether there are options for `https:`.
 * @throws ChannelError `INVALID_ARGUMENT` for what is no address, for none, and for those of different protocols, or not of TLS
 *   though there are options for it.
 */
export function addressesOf(origins: string | URL | readonly (string | URL)[], hasTls: boolean): Address[] {
  const given = typeof origins === 'string' || 'href' in origins ? [origins] : [...origins]
  const addresses = new Map<string, Address>()
  for (const origin of given) {
    const url = parse(origin)
    const name = url.origin + url.pathname.replace(/\/$/, '')
    addresses.set(name, { url, name })
  }
  const protocols = new Set(Array.from(addresses.values(), ({ url }) => url.protocol))
  if (protocols.size === 0) throw new ChannelError('INVALID_ARGUMENT', 'a client needs at least one address')
  if (protocols.size > 1) {
    throw new ChannelError('INVALID_ARGUMENT', 'the addresses of a client must be all http: or all https:')
  }
  if (hasTls && protocols.has('http:')) {
    throw new ChannelError(
      'INVALID_ARGUMENT',
      'tls has no meaning for http: addresses: those with TLS begin with https:',
    )
  }
  return [...addresses.values()]
}

function parse(origin: string | URL): URL {
  let url: URL | undefined
  try {
    url = new URL(origin)
  } catch {
    // Told below, like any other.
  }
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    // What stands before an @ may be a password, and in a query a token.
    const [shown = ''] = String(origin).split(/[?#]/, 1)
    const what = String(origin).includes('@') ? 'one with an @ in it' : shown
    throw new ChannelError('INVALID_ARGUMENT', `a client needs an http: or https: URL, not ${what}`)
  }
  // All of these would be dropped: each route has a path of its own.
  if (url.username !== '' || url.password !== '') {
    const message = `user and password in the address of ${url.host}: let headers have authorization instead`
    throw new ChannelError('INVALID_ARGUMENT', message)
  }
  if (url.search !== '' || url.hash !== '') {
    throw new ChannelError(
      'INVALID_ARGUMENT',
      `the address of ${url.host} has a query or a fragment, which are not sent`,
    )
  }
  return url
}

/** Hands out addresses in turn. A single one is handed out whatever becomes of it. */
export class Addresses {
  readonly #entries: readonly Entry[]
  readonly #limits: RetryLimits
  readonly #clock: Clock
  readonly #tell: OnClientEvent
  #next = 0

  constructor(addresses: readonly Address[], limits: RetryLimits, clock: Clock, tell: OnClientEvent) {
    this.#entries = addresses.map((address) => ({ ...address, state: { at: 'available' }, failures: 0 }))
    this.#limits = limits
    this.#clock = clock
    this.#tell = tell
  }

  /** The next that is not put aside; where all are, the one whose time is over first. */
  take(): Turn {
    const now = this.#clock.now()
    const inTurn = [...this.#entries.slice(this.#next), ...this.#entries.slice(0, this.#next)]
    const entry = inTurn.reduce((left, right) => (waitOf(right, now) < waitOf(left, now) ? right : left))
    this.#next = (this.#entries.indexOf(entry) + 1) % this.#entries.length
    // While one looks whether it is back, the others need not wait for the same.
    if (entry.state.at === 'aside') entry.state = { ...entry.state, until: now + entry.state.delay }
    const { failures } = entry
    const note = (isAvailable: boolean | undefined, error?: unknown): void => {
      // Of those that failed together the first counts, and who began before it knows nothing of what came after.
      if (this.#entries.length === 1 || failures !== entry.failures) return
      if (isAvailable === true) this.#restore(entry)
      if (isAvailable === false && error instanceof ChannelError) this.#putAside(entry, error)
    }
    return {
      address: entry,
      succeeded: () => note(true),
      failed: (error) => note(availability(error), error),
    }
  }

  /** How long until another than `address` can be tried; `Infinity` where there is none. Unit: milliseconds. */
  untilAnother(address: Address): number {
    const now = this.#clock.now()
    return Math.min(...this.#entries.map((entry) => (entry === address ? Infinity : waitOf(entry, now))))
  }

  #restore(entry: Entry): void {
    if (entry.state.at === 'available') return
    entry.state = { at: 'available' }
    this.#tell({ type: 'available', origin: entry.name })
  }

  #putAside(entry: Entry, error: ChannelError): void {
    const backoff = entry.state.at === 'aside' ? entry.state.backoff : new Backoff(this.#limits)
    const delay = backoff.next(retryAfter(error))
    entry.failures += 1
    entry.state = { at: 'aside', until: this.#clock.now() + delay, delay, backoff }
    this.#tell({ type: 'unavailable', origin: entry.name, delay, error })
  }
}

function waitOf({ state }: Entry, now: number): number {
  return state.at === 'available' ? 0 : Math.max(0, state.until - now)
}
