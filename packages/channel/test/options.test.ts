import { expect, test } from 'vitest'

import { channelDefaults } from '../src/index.ts'
import { resolveLimits } from '../src/options.ts'

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
