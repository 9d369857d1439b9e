/** The process whose memory is measured. Its router's channels wait, are not read, or get messages that never end. */
import type { Channel } from '@h2channel/channel'
import { createRouter } from '@h2channel/channel/server'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'

import type { Answer, Order } from './work.ts'
import { channelBuffer, linked, linkWindow, receive, wait } from './work.ts'

const maxBufferedBytes = Number(process.argv[2])
const channels = new Set<Channel<Uint8Array, Uint8Array>>()

// Channels that the limit ends are part of the measurement.
const onError = (): void => {}
const router = createRouter({ total: { maxBufferedBytes }, perSession: { maxBufferedBytes }, onError })
const waits = async (channel: Channel<Uint8Array, Uint8Array>): Promise<void> => {
  channels.add(channel)
  await channel.closed
  channels.delete(channel)
}
router.handle(wait, waits)
router.handle(linked, waits, {
  resume: { window: linkWindow, timeout: 1_000 },
  limits: { maxBufferedBytes: channelBuffer },
})
router.handle(receive, async (channel) => {
  channels.add(channel)
  try {
    for await (const message of channel) messages += message.length
  } finally {
    channels.delete(channel)
  }
})
const server = createServer()
router.attach(server)

let peak = 0
let messages = 0
const look = (): number => {
  const { rss } = process.memoryUsage()
  peak = Math.max(peak, rss)
  return rss
}
setInterval(look, 5).unref()

/** Makes short-lived objects, so that V8's young generation has its full size before the measurement. */
async function churn(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    const some = Array.from({ length: 10_000 }, (_, index) => ({ index }))
    await new Promise((resolve) => setImmediate(resolve, some))
  }
}

async function rest(): Promise<void> {
  for (let round = 0; round < 5; round++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Sends each message to all channels in one turn of the event loop. */
async function broadcast(size: number, count: number): Promise<number> {
  const message = new Uint8Array(size)
  let sent = 0
  for (let turn = 0; turn < count; turn++) {
    for (const channel of channels) {
      if (channel.bufferedBytes >= maxOfOne) continue
      // A channel that was ended rejects, which is the purpose of the limit.
      channel.send(message).catch(() => {})
      sent += size
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  return sent
}

/** Each channel sends one message after the other, until none has taken any for a while. */
async function fill(size: number): Promise<number> {
  const message = new Uint8Array(size)
  let sent = 0
  for (const channel of channels) {
    const send = async (): Promise<void> => {
      for (;;) {
        await channel.send(message)
        sent += size
      }
    }
    send().catch(() => {})
  }
  for (let before = -1; before < sent;) {
    before = sent
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
  return sent
}

/** A limit at which no `send` waits with its message. Unit: bytes. */
const maxOfOne = 1024 * 1024

async function perform(order: Order): Promise<Answer> {
  if (order.do === 'begin') {
    await rest()
    await churn()
    peak = 0
    return { rss: look(), peak, channels: channels.size, sent: 0 }
  }
  const sent =
    order.do === 'broadcast'
      ? await broadcast(order.size, order.count)
      : order.do === 'fill'
        ? await fill(order.size)
        : 0
  await new Promise((resolve) => setTimeout(resolve, 100))
  if (messages > 0) throw new Error('a message was complete')
  return { rss: look(), peak, channels: channels.size, sent }
}

process.on('message', (order: Order) => {
  void perform(order).then((answer) => process.send?.(answer))
})
process.on('disconnect', () => process.exit())
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
