import { expect, test } from 'vitest'

import { abortError, ConnError, signalError } from '../../src/errors.ts'
import { waitErrors } from '../../src/internal.ts'

test('abortError: a deadline is TIMEOUT, and any other reason is CANCELLED', async () => {
  const signal = AbortSignal.timeout(1)
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  expect(abortError('the test', signal.reason)).toMatchObject({ code: 'TIMEOUT', side: 'local', cause: signal.reason })
  expect(abortError('the test', AbortSignal.abort().reason)).toMatchObject({ code: 'CANCELLED' })
  expect(abortError('the test', 'TimeoutError')).toMatchObject({ code: 'CANCELLED' })
})

test('waitErrors: makes errors of the given class', () => {
  class OwnError extends ConnError {}
  const { signal } = new AbortController()
  const own = waitErrors(OwnError)
  expect(own.abortError('the test', 'why')).toBeInstanceOf(OwnError)
  expect(own.signalError(signal, 'the test')).toBeUndefined()
  expect(own.signalError(AbortSignal.abort('why'), 'the test')).toMatchObject({ code: 'CANCELLED', cause: 'why' })
  expect(signalError(AbortSignal.abort('why'), 'the test')).not.toBeInstanceOf(OwnError)
})
