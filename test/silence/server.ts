/** A server whose channels are idle. It prints how they end. */
import type { Channel } from '@h2channel/channel'
import { createRouter } from '@h2channel/channel/server'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'

import { idle, limits } from './route.ts'

const router = createRouter({ limits, onError: () => {} })
router.handle(idle, async (channel: Channel<string, string>) => {
  for await (const message of channel) {
    await channel.send(message)
    void channel.closed.then((closed) => {
      console.log(`ended ${closed.clean ? 'clean' : closed.error.code}`)
    })
  }
})
const server = createServer()
router.attach(server)
server.listen(0, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
