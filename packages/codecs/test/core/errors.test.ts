import { expect, test } from 'vitest'
import { CodecError } from '../../src/index.ts'

test.each([
  ['ENCODE_FAILED', 'local', false],
  ['ASYNC_SCHEMA', 'local', false],
  ['INVALID_CODEC', 'local', false],
  ['DECODE_FAILED', 'remote', true],
  ['INVALID_MESSAGE', 'remote', true],
] as const)('CodecError: %s is %s, fatal %s', (code, side, fatal) => {
  const error = new CodecError(code, 'why')
  expect(error).toMatchObject({ code, side, fatal, name: 'CodecError', message: 'why', issues: [] })
  expect(error).toBeInstanceOf(Error)
  expect('cause' in error).toBe(false)
})

test('CodecError: keeps the cause and the issues', () => {
  const cause = new Error('below')
  const issues = [{ message: 'wrong', path: ['a', 0] }]
  expect(new CodecError('INVALID_MESSAGE', 'why', { cause, issues })).toMatchObject({ cause, issues })
})
