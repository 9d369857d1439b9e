import { createRouter } from '@h2channel/channel/server'
import { createServer } from 'node:http2'
import { chat } from './routes.ts'

const server = createServer()

createRouter()
  .handle(chat, async (channel) => {
    await channel.send({ from: 'server', text: 'welcome' })
    for await (const { text } of channel) await channel.send({ from: 'echo', text })
    await channel.send({ from: 'server', text: 'bye' })
  })
  .attach(server)

server.listen(Number(process.env['PORT'] ?? 8080), () => process.stdout.write('listening\n'))
