/** Sends each member's messages to all members. */
import type { ServerChannel } from '@h2channel/channel'
import { ChannelError } from '@h2channel/channel'
import { createRouter } from '@h2channel/channel/server'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'

import type { FromServer } from './routes.ts'
import { chat } from './routes.ts'

type Member = ServerChannel<typeof chat>

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8080' },
    host: { type: 'string', default: '127.0.0.1' },
  },
})

const members = new Map<string, Member>()

// At most this much waits for a member who does not read: 256 KiB encoded, and 64 messages behind them.
const limits = { maxBufferedBytes: 256 * 1024, maxWaitingSends: 64 }

const router = createRouter({ limits })
router.handle(chat, async (channel) => {
  const name = await login(channel)
  if (name === undefined) return
  console.log(`${name} joined`)
  try {
    for await (const message of channel) {
      if (message.type === 'say') tellAll({ type: 'said', name, text: message.text })
    }
  } finally {
    members.delete(name)
    tellAll({ type: 'left', name })
    console.log(`${name} left`)
  }
})

async function login(channel: Member): Promise<string | undefined> {
  const message = await channel.receive()
  if (message === undefined) return undefined
  if (message.type !== 'login') return refuse(channel, 'log in first')
  const { name } = message
  if (members.has(name)) return refuse(channel, `${name} is here already`)
  tell(channel, { type: 'welcome', members: [...members.keys()] })
  tellAll({ type: 'joined', name })
  members.set(name, channel)
  return name
}

async function refuse(channel: Member, reason: string): Promise<undefined> {
  await channel.send({ type: 'refused', reason })
}

function tellAll(message: FromServer): void {
  for (const channel of members.values()) tell(channel, message)
}

/** Does not wait, so that no member delays the others. A member with too many waiting messages is dropped. */
function tell(channel: Member, message: FromServer): void {
  channel.send(message).catch((error: unknown) => {
    // Any other error has ended the channel, and its handler gets it too.
    if (error instanceof ChannelError && error.code === 'SEND_BUFFER_FULL') channel.abort(error)
  })
}

const server = createServer()
router.attach(server)
server.listen(Number(values.port), values.host, () => {
  const { address, port } = server.address() as AddressInfo
  console.log(`listening on http://${address.includes(':') ? `[${address}]` : address}:${port}`)
})

// Open channels may end before the server stops.
process.once('SIGTERM', () => void router.drain().then(() => server.close()))
