/** A handler, for the guide about tests. */
import { AsyncLocalStorage } from 'node:async_hooks'

import type { ServerChannel } from '@h2channel/channel'
import { defineRoute } from '@h2channel/channel'
import type { HandlerContext } from '@h2channel/channel/server'
import { json } from '@h2channel/codecs'
import { z } from 'zod'

// #region handler
export const sums = defineRoute('/sums/:unit', {
  client: json(z.object({ add: z.number() })),
  server: json(z.object({ sum: z.number(), unit: z.string() })),
})

type Needed = Pick<HandlerContext<typeof sums.path>, 'params'>

export async function serveSums(channel: ServerChannel<typeof sums>, { params: { unit } }: Needed): Promise<void> {
  let sum = 0
  for await (const { add } of channel) await channel.send({ sum: (sum += add), unit })
}
// #endregion

// #region context
const requestIds = new AsyncLocalStorage<string>()
export const requestId = (): string | undefined => requestIds.getStore()

/** Everything that the handler calls and awaits sees the id of its own channel. */
export function withRequestId<Channel, Context extends Pick<HandlerContext, 'headers'>>(
  handler: (channel: Channel, context: Context) => Promise<void>,
) {
  return async (channel: Channel, context: Context): Promise<void> =>
    requestIds.run(String(context.headers['x-request-id']), async () => handler(channel, context))
}
// #endregion
