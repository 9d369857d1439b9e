import { defineRoute } from '@h2channel/channel'
import { bytes } from '@h2channel/codecs'

const messages = { client: bytes(), server: bytes() }

/** Its handler receives nothing. */
export const wait = defineRoute('/wait', messages)

/** Its handler receives all messages. */
export const receive = defineRoute('/receive', messages)

/** Like `wait`, with links. */
export const linked = defineRoute('/linked', messages)
/** The window of each link. Unit: bytes. */
export const linkWindow = 256 * 1024
/** What each of its channels holds above the link. Unit: bytes. */
export const channelBuffer = 64 * 1024

/** A request to the server. It answers with an {@link Answer}. */
export type Order =
  /** Collects garbage, and measures from now on. */
  | { readonly do: 'begin' }
  | { readonly do: 'broadcast'; readonly size: number; readonly count: number }
  /** Each channel sends until it takes no more. */
  | { readonly do: 'fill'; readonly size: number }
  /** The clients have finished their work. */
  | { readonly do: 'look' }

/** Sizes in bytes. */
export interface Answer {
  readonly rss: number
  /** The largest growth since the beginning. */
  readonly peak: number
  /** The number of open channels. */
  readonly channels: number
  /** The bytes that `broadcast` or `fill` sent. */
  readonly sent: number
}
