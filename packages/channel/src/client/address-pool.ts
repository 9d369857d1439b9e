/** The addresses of a client's service: which is next, and which are left out for a while. */
import type { OnClientEvent } from './events.ts'
import type { RetryLimits } from '../options.ts'
import type { Clock } from '../runtime/clock.ts'
import { ChannelError } from '../errors.ts'
import { availability, retryDelay } from './open-errors.ts'

export interface Address {
  readonly url: URL
  /** The path that precedes that of each route, without a slash at its end. */
  readonly prefix: string
  /** How events name it. */
  readonly name: string
}

/**
 * Whether an address takes part:
 *
 *     available ──cannot be reached, drains──▶ ejected ──again──▶ ejected, for longer
 *         ▲──────────────answers──────────────────┘
 */
type State =
  | { readonly at: 'available' }
  | {
      readonly at: 'ejected'
      /** When it is due, by the clock. From then on one attempt in `delay` milliseconds tries it. */
      readonly until: number
      readonly delay: number
      /** How many ejections came before this one without an answer in between. */
      readonly earlier: number
    }

interface Entry extends Address {
  state: State
  ejections: number
}

/** One attempt at an address, whose outcome the pool learns. */
export interface Attempt {
  readonly address: Address
  succeeded(): void
  failed(error: unknown): void
}

/**
 * Parses the addresses of a client. An address that occurs twice counts once.
 *
 * @param hasTls - whether there are options for `https:`.
 * @throws ChannelError `INVALID_ARGUMENT` for an invalid address, for an empty list, for `http:` and `https:` together,
 *   and for `http:` with options for `https:`.
 */
export function parseAddresses(origins: string | URL | readonly (string | URL)[], hasTls: boolean): Address[] {
  const given = typeof origins === 'string' || 'href' in origins ? [origins] : [...origins]
  const addresses = new Map<string, Address>()
  for (const origin of given) {
    const url = parseAddress(origin)
    const prefix = url.pathname.replace(/\/$/, '')
    const name = url.origin + prefix
    addresses.set(name, { url, prefix, name })
  }
  const protocols = new Set(Array.from(addresses.values(), ({ url }) => url.protocol))
  if (protocols.size === 0) throw new ChannelError('INVALID_ARGUMENT', 'a client needs at least one address')
  if (protocols.size > 1) {
    throw new ChannelError('INVALID_ARGUMENT', 'the addresses of a client must be all http: or all https:')
  }
  if (hasTls && protocols.has('http:')) {
    const message = 'tls has no effect on http: addresses: addresses with TLS begin with https:'
    throw new ChannelError('INVALID_ARGUMENT', message)
  }
  return [...addresses.values()]
}

function parseAddress(origin: string | URL): URL {
  let url: URL | undefined
  try {
    url = new URL(origin)
  } catch {
    // Refused below, like other invalid addresses.
  }
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    // The text before an @ may be a password, and a query may hold a token.
    const [shown = ''] = String(origin).split(/[?#]/, 1)
    const what = String(origin).includes('@') ? 'one with an @ in it' : shown
    throw new ChannelError('INVALID_ARGUMENT', `a client needs a valid http: or https: URL, not ${what}`)
  }
  // Each route has a path of its own, so the rest of the URL would be dropped.
  if (url.username !== '' || url.password !== '') {
    const message = `user and password in the address of ${url.host}: use the authorization header instead`
    throw new ChannelError('INVALID_ARGUMENT', message)
  }
  if (url.search !== '' || url.hash !== '') {
    const message = `the address of ${url.host} has a query or a fragment, which are not sent`
    throw new ChannelError('INVALID_ARGUMENT', message)
  }
  return url
}

/** Hands out addresses in turn. A single address is handed out even after it failed. */
export class AddressPool {
  readonly limits: RetryLimits
  readonly clock: Clock
  /** Undefined where nothing listens. */
  readonly report: OnClientEvent | undefined
  readonly #entries: readonly Entry[]
  /** The attempts of a client with a single address, which learn nothing from each other. */
  readonly #single: Attempt | undefined
  #next = 0

  constructor(addresses: readonly Address[], limits: RetryLimits, clock: Clock, report: OnClientEvent | undefined) {
    this.#entries = addresses.map((address) => ({ ...address, state: { at: 'available' }, ejections: 0 }))
    this.limits = limits
    this.clock = clock
    this.report = report
    const [address] = this.#entries
    if (address !== undefined && this.#entries.length === 1) this.#single = { address, succeeded() {}, failed() {} }
  }

  /** Begins an attempt at the next available address, or at the one that is due first where all are ejected. */
  next(): Attempt {
    if (this.#single !== undefined) return this.#single
    const now = this.clock.now()
    const inTurn = [...this.#entries.slice(this.#next), ...this.#entries.slice(0, this.#next)]
    const entry = inTurn.reduce((left, right) => (delayUntil(right, now) < delayUntil(left, now) ? right : left))
    this.#next = (this.#entries.indexOf(entry) + 1) % this.#entries.length
    // While one attempt finds out whether the address is back, the others use another.
    if (entry.state.at === 'ejected') entry.state = { ...entry.state, until: now + entry.state.delay }
    const { ejections } = entry
    const settle = (isAvailable: boolean | undefined, error?: unknown): void => {
      // Of attempts that failed together the first counts: one from before an ejection says nothing about later.
      if (ejections !== entry.ejections) return
      if (isAvailable === true) this.#restore(entry)
      if (isAvailable === false && error instanceof ChannelError) this.#eject(entry, error)
    }
    return {
      address: entry,
      succeeded: () => settle(true),
      failed: (error) => settle(availability(error), error),
    }
  }

  /** How long until an address other than `address` can be tried; `Infinity` without another. Unit: milliseconds. */
  delayUntilOther(address: Address): number {
    const now = this.clock.now()
    return Math.min(...this.#entries.map((entry) => (entry === address ? Infinity : delayUntil(entry, now))))
  }

  #restore(entry: Entry): void {
    if (entry.state.at === 'available') return
    entry.state = { at: 'available' }
    this.report?.({ type: 'available', origin: entry.name })
  }

  #eject(entry: Entry, error: ChannelError): void {
    const earlier = entry.state.at === 'ejected' ? entry.state.earlier + 1 : 0
    const delay = retryDelay(this.limits, earlier, error)
    entry.ejections += 1
    entry.state = { at: 'ejected', until: this.clock.now() + delay, delay, earlier }
    this.report?.({ type: 'unavailable', origin: entry.name, delay, error })
  }
}

function delayUntil({ state }: Entry, now: number): number {
  return state.at === 'available' ? 0 : Math.max(0, state.until - now)
}
