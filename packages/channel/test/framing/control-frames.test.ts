// oxlint-disable vitest/expect-expect -- many of these tests assert by the helpers of support.ts
import { ByteWriter } from '@h2channel/codecs'
import { ConnError } from '@h2channel/conn/web'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { decodeControl, encodeControl } from '../../src/framing/control-frames.ts'
import { channelErrorCodes, lengthPrefixed } from '../../src/index.ts'
import { supportsControl } from '../../src/route/negotiate.ts'
import { closeError, connFailure, resetReason } from '../../src/core/close-codes.ts'
import { ChannelError } from '../../src/errors.ts'
import { bytesOf, hexOf, thrown, utf8 } from '../support/support.ts'

function encoded(...controls: readonly Parameters<typeof encodeControl>[0][]): string {
  const out = new ByteWriter(1)
  for (const control of controls) encodeControl(control, lengthPrefixed(), out)
  return hexOf(out.written())
}

test.each([
  [{ type: 'stop' } as const, '80 00 00 01 02'],
  [{ type: 'close', code: 'INTERNAL', reason: '' } as const, '80 00 00 0a 01 08 49 4e 54 45 52 4e 41 4c'],
  [{ type: 'close', code: 'X', reason: 'é!' } as const, '80 00 00 06 01 01 58 c3 a9 21'],
  [{ type: 'ping', opaque: bytesOf('00 00 00 01') } as const, '80 00 00 05 03 00 00 00 01'],
  [{ type: 'ping', opaque: bytesOf('') } as const, '80 00 00 01 03'],
  [{ type: 'pong', opaque: bytesOf('ff') } as const, '80 00 00 02 04 ff'],
  [{ type: 'draining' } as const, '80 00 00 01 05'],
])('encodeControl: writes %j', (control, wire) => {
  expect(encoded(control)).toBe(wire)
  expect(decodeControl(bytesOf(wire).subarray(4))).toEqual(control)
})

test('encodeControl: appends to what is there', () => {
  expect(encoded({ type: 'stop' }, { type: 'stop' })).toBe('80 00 00 01 02 80 00 00 01 02')
})

test('encodeControl: writes no frame that a peer would refuse', () => {
  const out = new ByteWriter()
  thrown(
    () => encodeControl({ type: 'close', code: 'X', reason: 'x'.repeat(1_022) }, lengthPrefixed(), out),
    'MESSAGE_TOO_LARGE',
  )
  encodeControl({ type: 'close', code: 'X', reason: 'x'.repeat(1_021) }, lengthPrefixed(), new ByteWriter())
})

test('decodeControl: takes a stop with whatever a later version adds', () => {
  expect(decodeControl(bytesOf('02 ff ff'))).toEqual({ type: 'stop' })
  expect(decodeControl(bytesOf('05 ff ff'))).toEqual({ type: 'draining' })
})

test.each(['00', '06', '7f 01 02', 'ff'])('decodeControl: passes over a type that is not known: %s', (body) => {
  expect(decodeControl(bytesOf(body))).toBeNull()
})

test.each(['', '01', '01 00', '01 01', '01 05 41 42', '01 00 41'])('decodeControl: refuses [%s]', (body) => {
  expect(thrown(() => decodeControl(bytesOf(body)), 'INVALID_FRAME')).toMatchObject({ side: 'remote', fatal: true })
})

test('decodeControl: gives a control frame, null or INVALID_FRAME, whatever the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (body) => {
      let result: unknown
      try {
        result = decodeControl(body)?.type
      } catch (error) {
        result = error instanceof ChannelError ? error.code : error
      }
      expect([undefined, 'close', 'stop', 'ping', 'pong', 'draining', 'INVALID_FRAME']).toContain(result)
    }),
  )
})

const ours = [
  'INVALID_MESSAGE',
  'INVALID_FRAME',
  'TRUNCATED_FRAME',
  'MESSAGE_TOO_LARGE',
  'PEER_TOO_SLOW',
  'RATE_LIMITED',
]

test.each(ours)('closeError: %s of the peer is a rule that this side broke', (code) => {
  const error = closeError(code, 'why')
  expect(error).toMatchObject({ code, side: 'local', fatal: true })
  expect(error.message).toContain('why')
})

test('closeError: keeps INTERNAL, GOING_AWAY and UNAUTHENTICATED, and reports any other code as a peer abort', () => {
  expect(closeError('INTERNAL', '')).toMatchObject({ code: 'INTERNAL', side: 'remote', fatal: true })
  expect(closeError('GOING_AWAY', '')).toMatchObject({ code: 'GOING_AWAY', side: 'remote', fatal: true })
  expect(closeError('UNAUTHENTICATED', '')).toMatchObject({ code: 'UNAUTHENTICATED', side: 'remote', fatal: true })
  expect(closeError('SOMETHING_NEW', 'later')).toMatchObject({ code: 'PEER_ABORTED', side: 'remote', fatal: true })
  expect(closeError('SOMETHING_NEW', 'later').message).toContain('SOMETHING_NEW')
})

test.each([
  [0, 'PEER_STOPPED', 'remote'],
  [1, 'INVALID_MESSAGE', 'local'],
  [2, 'INTERNAL', 'remote'],
  [6, 'MESSAGE_TOO_LARGE', 'local'],
  [8, 'PEER_ABORTED', 'remote'],
  [7, 'CONN_LOST', 'remote'],
  [5, 'CONN_LOST', 'remote'],
  [11, 'PEER_TOO_SLOW', 'local'],
  [0x6832_0000, 'CONN_LOST', 'remote'],
  [0x6832_0001, 'GOING_AWAY', 'remote'],
  [0x6832_0002, 'RATE_LIMITED', 'local'],
  [0x6832_0003, 'UNAUTHENTICATED', 'remote'],
  [0x6832_0004, 'CONN_LOST', 'remote'],
  [undefined, 'PEER_ABORTED', 'remote'],
])('connFailure: RST_STREAM with %s is %s', (rstCode, code, side) => {
  const cause = new ConnError('RESET', 'reset', { rstCode })
  expect(connFailure(cause)).toMatchObject({ code, side, fatal: true, cause })
})

test('connFailure: a conn whose peer is silent is a channel whose peer is', () => {
  const cause = new ConnError('PEER_SILENT', 'no answer')
  expect(connFailure(cause)).toMatchObject({ code: 'PEER_SILENT', cause, message: 'no answer' })
})

test('connFailure: every other failure of a conn is CONN_LOST', () => {
  const cause = new ConnError('CONNECTION_LOST', 'gone')
  expect(connFailure(cause)).toMatchObject({ code: 'CONN_LOST', cause, message: 'gone' })
})

test('resetReason: names the code of the reset', () => {
  const codes = Object.fromEntries(
    channelErrorCodes.map((code) => [code, resetReason(new ChannelError(code, 'x')).rstCode] as const),
  )
  expect(codes).toMatchObject({ INTERNAL: 2, INVALID_MESSAGE: 1, INVALID_FRAME: 1, TRUNCATED_FRAME: 1 })
  expect(codes).toMatchObject({ MESSAGE_TOO_LARGE: 6, PEER_TOO_SLOW: 11, ABORTED: 8, CLOSED: 8 })
  expect(codes).toMatchObject({ GOING_AWAY: 0x6832_0001, RATE_LIMITED: 0x6832_0002, UNAUTHENTICATED: 0x6832_0003 })
  expect(resetReason(new ChannelError('ABORTED', 'mine'))).toMatchObject({
    message: 'mine',
    cause: { code: 'ABORTED' },
  })
})

test.each([
  ['1', true],
  ['2', true],
  ['123456789', true],
  ['1234567890', false],
  ['0', false],
  ['01', false],
  ['', false],
  ['1.0', false],
  ['yes', false],
  ['1, 1', false],
  [undefined, false],
  [['1'], false],
])('supportsControl: %j is %s', (value, is) => {
  expect(supportsControl(value)).toBe(is)
})

test.each([
  ['no UTF-8', [0xff]],
  ['small letters', utf8('internal')],
  ['what a terminal heeds', utf8('\u001b[31mX')],
])('decodeControl: refuses a code of %s', (_what, code) => {
  thrown(() => decodeControl(Uint8Array.of(1, code.length, ...code)), 'INVALID_FRAME')
})

test('decodeControl: makes a reason printable', () => {
  const body = Uint8Array.of(1, 1, ...utf8('X'), ...utf8('a\u001b[31m\r\nb\u202ec'), 0xff)
  expect(decodeControl(body)).toEqual({ type: 'close', code: 'X', reason: 'a [31m b c\ufffd' })
})
