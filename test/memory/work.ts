import { defineRoute } from '@h2channel/channel'
import { bytes } from '@h2channel/codecs'

const messages = { client: bytes(), server: bytes() }

/** Its handler receives nothing. */
export const wait = defineRoute('/wait', messages)

/** Its handler receives all that comes. */
export const receive = defineRoute('/receive', messages)

/** What the server is told to do. It answers with an {@link Answer}. */
export type Order =
  /** Collects garbage, and measures from here on. */
  | { readonly do: 'begin' }
  | { readonly do: 'broadcast'; readonly size: number; readonly count: number }
  /** What clients do is done. */
  | { readonly do: 'look' }

/** Sizes in bytes. */
export interface Answer {
  readonly rss: number
  /** The largest since it began. */
  readonly peak: number
  /** How many there still are. */
  readonly channels: number
  /** What the broadcast sent. */
  readonly sent: number
}
