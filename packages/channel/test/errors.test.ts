/** Everything that depends on an error's code stands in one row of `errors.ts`. */
import { ConnError } from '@h2channel/conn'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

import { closeError, closeFrame, connFailure, resetReason } from '../src/core/close-codes.ts'
import { errorRules, isReported } from '../src/errors.ts'
import { ChannelError, channelErrorCodes } from '../src/index.ts'

const src = join(import.meta.dirname, '../src')

describe.each(channelErrorCodes)('%s', (code) => {
  const rule = errorRules[code]

  test('has the side, fatality and retryability of its row', () => {
    const { side = 'remote', fatal = true, retryable = false } = rule
    expect(new ChannelError(code, 'x')).toMatchObject({ code, side, fatal, retryable })
    const other = { side: side === 'local' ? 'remote' : 'local', fatal: !fatal, retryable: !retryable } as const
    expect(new ChannelError(code, 'x', other)).toMatchObject(other)
  })

  test('is to the peer what its row says, with its text only where that is allowed', () => {
    const reason = rule.isTellable ? 'over 5 bytes' : ''
    expect(closeFrame(new ChannelError(code, 'over 5 bytes'))).toEqual({ type: 'close', code, reason })
    const refused = `the peer refused what this side sent (${code})`
    const [side, text = refused] = rule.atPeer ?? ['remote', `the peer closed the channel (${code})`]
    const expected = { code: rule.atPeer === undefined ? 'PEER_ABORTED' : code, side, fatal: true }
    expect(closeError(code, reason, '/route')).toMatchObject(expected)
    expect(closeError(code, reason, '/route').message).toBe(`/route: ${text}${reason && `: ${reason}`}`)
  })

  test('resets with the code of its row, which means the first error that has it', () => {
    const { rstCode } = resetReason(new ChannelError(code, 'x'))
    expect(rstCode).toBe(rule.rstCode ?? 8)
    const first = channelErrorCodes.find((one) => errorRules[one].rstCode === rule.rstCode)
    const expected = rule.rstCode === undefined ? 'PEER_ABORTED' : first
    expect(connFailure(new ConnError('RESET', 'reset', { rstCode }))).toMatchObject({ code: expected, fatal: true })
  })

  test('has a meaning at the peer where it has a code of its own', () => {
    expect(rule.rstCode === undefined).toBe(rule.atPeer === undefined)
  })

  test.each(['local', 'remote'] as const)('is reported as its row says, side %s', (side) => {
    const expected = rule.isReported === 'always' || rule.isReported === side
    expect(isReported(new ChannelError(code, 'x', { side }))).toBe(expected)
  })
})

test('what is not a ChannelError is not reported as how a channel ended', () => {
  expect([undefined, new Error('x'), new ConnError('RESET', 'x')].map(isReported)).toEqual([false, false, false])
})

test('an error of another version may have a code without a row: it ends a channel like any other', () => {
  const foreign = Object.assign(new Error('x'), { name: 'ChannelError', code: 'NEW_CODE' }) as ChannelError
  expect(foreign).toBeInstanceOf(ChannelError)
  expect(closeFrame(foreign)).toEqual({ type: 'close', code: 'NEW_CODE', reason: '' })
  expect(resetReason(foreign)).toMatchObject({ message: 'x', rstCode: 8 })
  expect(isReported(foreign)).toBe(false)
})

test('no other file has a table of codes', () => {
  const listed = String.raw`'(?:${channelErrorCodes.join('|')})'`
  const table = new RegExp(
    String.raw`(?:^|[[(,])\s*${listed},\s*${listed}[\],)]|^\s*(?:${channelErrorCodes.join('|')}):`,
    'm',
  )
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
  expect(files.filter((path) => table.test(readFileSync(join(src, path), 'utf8')))).toEqual(['errors.ts'])
})
