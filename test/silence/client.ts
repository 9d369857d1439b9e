/** A client whose channel is idle after one message. It prints how the channel ends. */
import { createClient } from '@h2channel/channel/client'

import { idle, limits } from './route.ts'

const channel = await createClient(process.argv[2] ?? '', { limits }).open(idle)
await channel.send('hello')
await channel.receive()
console.log('idle')
// It continues to read, as a program that waits for messages does.
channel.receive().catch(() => {})
const closed = await channel.closed
console.log(`ended ${closed.clean ? 'clean' : closed.error.code}`)
