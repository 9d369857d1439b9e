import { Channel } from '@h2channel/channel'
import { json } from '@h2channel/codecs'
import { fromDuplex } from '@h2channel/conn'
import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import { Heard, Said } from './routes.ts'

const talk = async (socket: Socket): Promise<void> => {
  await using channel = new Channel(fromDuplex(socket), { send: json(Heard), receive: json(Said) })
  for await (const { text } of channel) await channel.send({ from: 'echo', text })
}

const server = createServer({ allowHalfOpen: true }, (socket) => {
  talk(socket).catch((error: unknown) => process.stderr.write(`${String(error)}\n`))
})

server.listen(Number(process.env['PORT'] ?? 9000), '127.0.0.1', () => process.stdout.write('listening\n'))
