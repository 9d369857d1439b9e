/** The header by which two sides agree on a link, or continue one. SPEC.md, section "Links". */

/** Its name, in requests and responses. */
export const linkHeader = 'h2channel-link'

/** What a request asks for. */
export type LinkRequest =
  /** A link for a new channel. `window`: how many bytes the server may send beyond what is acknowledged. */
  | { readonly asks: 'new'; readonly window: number }
  /** Another carrier for a link. `received`: how far its records have arrived at the client. */
  | { readonly asks: 'again'; readonly id: string; readonly received: number }

/** What the response says to a request for a new link. Times in milliseconds. */
export interface NewLink {
  readonly id: string
  /** How many bytes the client may send beyond what is acknowledged. */
  readonly window: number
  /** How long the link lives without a carrier. */
  readonly timeout: number
}

type Header = string | readonly string[] | undefined

/** Reads the header of a request. `undefined`: it is malformed. */
export function parseLinkRequest(value: Header): LinkRequest | undefined {
  const parsed = parse(value)
  if (parsed?.token === 'new') {
    const window = parsed.numbers.get('window')
    return window === undefined || window === 0 ? undefined : { asks: 'new', window }
  }
  const received = parsed?.numbers.get('received')
  if (parsed === undefined || received === undefined || !isId(parsed.token)) return undefined
  return { asks: 'again', id: parsed.token, received }
}

/** Reads the response to a request for a new link. `undefined`: it is malformed. */
export function parseNewLink(value: Header): NewLink | undefined {
  const parsed = parse(value)
  const window = parsed?.numbers.get('window')
  const timeout = parsed?.numbers.get('timeout')
  if (parsed === undefined || !window || !timeout || !isId(parsed.token)) return undefined
  return { id: parsed.token, window, timeout }
}

/** Reads the response to a request for another carrier: how far the server has received. */
export function parseResumed(value: Header, id: string): number | undefined {
  const parsed = parse(value)
  return parsed?.token === id ? parsed.numbers.get('received') : undefined
}

/** Writes the header. */
export function linkValue(token: string, numbers: Readonly<Record<string, number>>): string {
  const parameters = Object.entries(numbers).map(([name, value]) => `; ${name}=${value}`)
  return token + parameters.join('')
}

/** At least 128 bits in base64url (RFC 4648, section 5). */
function isId(token: string): boolean {
  return token.length >= 22
}

interface Parsed {
  readonly token: string
  /** Unknown parameters are kept and ignored, so that later versions can add some. */
  readonly numbers: ReadonlyMap<string, number>
}

const maxLength = 512

function parse(value: Header): Parsed | undefined {
  if (typeof value !== 'string' || value.length > maxLength) return undefined
  const [token = '', ...parameters] = value.split(';').map((part) => part.trim())
  if (!/^[\w-]{3,256}$/.test(token)) return undefined
  const numbers = new Map<string, number>()
  for (const parameter of parameters) {
    const [name, number] = parameter.split('=', 2)
    if (name === undefined || number === undefined || numbers.has(name)) return undefined
    if (/^\d{1,15}$/.test(number)) numbers.set(name, Number(number))
  }
  return { token, numbers }
}
