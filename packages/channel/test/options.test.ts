import { json } from '@h2channel/codecs'
import { pipe } from '@h2channel/conn/web'
import { expect, test } from 'vitest'

import { Channel, channelDefaults } from '../src/index.ts'
import { channelLimits, resolveLimits } from '../src/options.ts'
import { createRouter } from '../src/server.ts'

test('resolveLimits: what it resolved once is used as it is', () => {
  const limits = resolveLimits({ maxMessageBytes: 10, slowAfter: undefined })
  expect(limits).toEqual({ ...channelDefaults, maxMessageBytes: 10 })
  expect(Object.isFrozen(limits)).toBe(true)
  expect(resolveLimits(limits)).toBe(limits)
  expect(resolveLimits(undefined, limits)).toEqual(limits)
  expect(resolveLimits({ flushBytes: 5 }, limits)).toEqual({ ...limits, flushBytes: 5 })
})

test('resolveLimits: a copy of what it resolved is checked', () => {
  const copy = { ...resolveLimits({}), maxMessageBytes: 0 }
  expect(() => resolveLimits(copy)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
})

test('channelLimits: keeps no more memory for a channel than the limits themselves', () => {
  const shared = resolveLimits({ flushBytes: 5 })
  expect(channelLimits(shared)).toBe(shared)
  const limits = channelLimits({ flushBytes: 5 })
  expect(limits).toEqual(shared)
  // A frozen object has a hidden class for itself alone, and a remembered one an entry in a WeakSet.
  expect(Object.isFrozen(limits)).toBe(false)
  expect(channelLimits(limits)).not.toBe(limits)
  expect(() => channelLimits({ flushBytes: 0 })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
})

test('null stands for no clock, and for no timeout of authorize, in a program without types', async () => {
  const none = null as unknown as undefined
  expect(createRouter({ clock: none, authorizeTimeout: none }).channels).toBe(0)
  const channel = new Channel(pipe()[0], { send: json(), receive: json(), clock: none })
  expect(channel.stats.age).toBeGreaterThanOrEqual(0)
  channel.abort()
  await channel.closed
})
