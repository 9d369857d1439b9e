/** A send whose signal aborts while its message is encoded. */
import { json } from '@h2channel/codecs'
import { pipe } from '@h2channel/conn/web'
import { expect, test } from 'vitest'

import { Channel } from '../../src/index.ts'

test('a message that aborts the signal of its own send was sent, so that the send does not fail', async () => {
  const options = { send: json(), receive: json(), limits: { maxBufferedBytes: 1 } }
  const [left, right] = pipe()
  const [sender, receiver] = [new Channel(left, options), new Channel(right, options)]
  const controller = new AbortController()
  const message = {
    get value(): number {
      controller.abort()
      return 1
    },
  }
  const first = sender.send('fills the buffer')
  const second = sender.send(message, { signal: controller.signal })
  expect(controller.signal.aborted).toBe(false)
  expect(await receiver.receive()).toBe('fills the buffer')
  expect(await receiver.receive()).toEqual({ value: 1 })
  await Promise.all([first, second])
  expect(controller.signal.aborted).toBe(true)
  await Promise.all([sender.close(), receiver.close()])
})
