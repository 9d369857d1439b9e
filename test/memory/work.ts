import { defineRoute } from '@h2channel/channel'
import { bytes } from '@h2channel/codecs'

const messages = { client: bytes(), server: bytes() }

/** Its handler receives nothing. */
export const wait = defineRoute('/wait', messages)

/** Its handler receives all messages. */
export const receive = defineRoute('/receive', messages)

/** A request to the server. It answers with an {@link Answer}. */
export type Order =
  /** Collects garbage, and measures from now on. */
  | { readonly do: 'begin' }
  | { readonly do: 'broadcast'; readonly size: number; readonly count: number }
  /** The clients have finished their work. */
  | { readonly do: 'look' }

/** Sizes in bytes. */
export interface Answer {
  readonly rss: number
  /** The largest growth since the beginning. */
  readonly peak: number
  /** The number of open channels. */
  readonly channels: number
  /** The bytes that the broadcast sent. */
  readonly sent: number
}
