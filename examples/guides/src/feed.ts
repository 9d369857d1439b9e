/** The route of a feed, which the guides about fan-out and reconnecting share. */
import { defineRoute } from '@h2channel/channel'
import type { Codec } from '@h2channel/codecs'
import { bytes, json } from '@h2channel/codecs'
import { z } from 'zod'

// #region route
/** A place in a feed. A server that has lost its history begins another epoch. */
const Cursor = z.object({ epoch: z.string(), seq: z.int().nonnegative() })
export type Cursor = z.infer<typeof Cursor>

const Update = Cursor.extend({ text: z.string() })
export type Update = z.infer<typeof Update>

export const feed = defineRoute('/feeds/:topic', {
  client: json(z.object({ after: Cursor.optional() })), // the first message
  server: json(Update),
})
// #endregion

// #region encoded
/** For a server that encodes each update once for all subscribers: the bytes on the wire are those of `feed`. */
const encoded: Codec<Uint8Array> = { ...bytes(), name: 'json', contentType: feed.server.contentType, line: true }

export const encodedFeed = defineRoute(feed.path, { client: feed.client, server: encoded })
// #endregion
