import type { ServerChannel } from '@h2channel/channel'
import type { HandlerContext } from '@h2channel/channel/server'

import type { greetings } from './routes.ts'

const words = new Map([
  ['de', 'Guten Tag'],
  ['en', 'Hello'],
  ['fr', 'Bonjour'],
])

/** The handler of `greetings`, for every framework. */
export async function greet(
  channel: ServerChannel<typeof greetings>,
  { params }: HandlerContext<typeof greetings.path>,
): Promise<void> {
  const word = words.get(params.language) ?? 'Hello'
  for await (const { name } of channel) await channel.send({ text: `${word}, ${name}!` })
}
