// oxlint-disable vitest/expect-expect -- many of these tests assert by the helpers of support.ts
import { ByteWriter } from '@h2channel/codecs'
import { ConnError } from '@h2channel/conn/web'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { decodeControl, encodeControl } from '../../src/framing/control-frames.ts'
import { channelErrorCodes, lengthPrefixed } from '../../src/index.ts'
import { announcedVersion } from '../../src/route/negotiate.ts'
import { closeError, closeFrame, connFailure, resetReason } from '../../src/core/close-codes.ts'
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
])('encodeControl: writes %j (CTRL-2)', (control, wire) => {
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

test('decodeControl: takes a stop with whatever a later version adds (CTRL-3)', () => {
  expect(decodeControl(bytesOf('02 ff ff'))).toEqual({ type: 'stop' })
  expect(decodeControl(bytesOf('05 ff ff'))).toEqual({ type: 'draining' })
})

test.each(['00', '06', '7f 01 02', 'ff'])(
  'decodeControl: passes over a type that is not known: %s (CTRL-3)',
  (body) => {
    expect(decodeControl(bytesOf(body))).toBeNull()
  },
)

test('decodeControl: refuses a body of no bytes (CTRL-2)', () => {
  expect(thrown(() => decodeControl(bytesOf('')), 'INVALID_FRAME')).toMatchObject({ side: 'remote', fatal: true })
})

test.each([
  ['no code', '01'],
  ['an empty code', '01 00'],
  ['an empty code and a reason', '01 00 41'],
  ['less than its code', '01 05 41 42'],
  ['bytes that are no UTF-8', '01 01 ff'],
  ['small letters', '01 02 61 62'],
  ['a digit first', '01 03 31 41 42'],
  ['an underscore first', '01 02 5f 41'],
  ['a line after it', '01 02 41 0a'],
  ['what a terminal interprets', '01 06 1b 5b 33 31 6d 58'],
  ['65 characters', `01 41${' 41'.repeat(65)}`],
])('a close with %s means that the peer aborted (CLOSE-3)', (_what, body) => {
  const close = decodeControl(bytesOf(body))
  expect(close).toEqual({ type: 'close', code: '', reason: '' })
  const error = closeError('', '')
  expect(error).toMatchObject({ code: 'PEER_ABORTED', side: 'remote', fatal: true })
  expect(error.message).toBe('the peer closed the channel (a malformed close frame)')
})

test.each(['A', 'A1', 'X_PRIVATE_2', 'Z'.repeat(64)])('a close may have the code %s (CLOSE-1)', (code) => {
  const body = Uint8Array.of(1, code.length, ...utf8(`${code}why`))
  expect(decodeControl(body)).toEqual({ type: 'close', code, reason: 'why' })
})

test('every close frame of this side has a code that peers understand (CLOSE-1)', () => {
  const grammar = /^[A-Z][A-Z0-9_]{0,63}$/
  for (const code of channelErrorCodes) expect(code).toMatch(grammar)
  for (const code of ['lower', '', 'Z'.repeat(65), 'É']) {
    const ofAnotherVersion = Object.assign(new ChannelError('INTERNAL', 'x'), { code })
    expect(closeFrame(ofAnotherVersion)).toEqual({ type: 'close', code: 'ABORTED', reason: '' })
  }
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

test.each(ours)('closeError: %s of the peer is a rule that this side broke (ERR-1)', (code) => {
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
  [11, 'CONN_LOST', 'remote'],
  [0x6832_0000, 'CONN_LOST', 'remote'],
  [0x6832_0001, 'GOING_AWAY', 'remote'],
  [0x6832_0002, 'RATE_LIMITED', 'local'],
  [0x6832_0003, 'UNAUTHENTICATED', 'remote'],
  [0x6832_0004, 'PEER_TOO_SLOW', 'local'],
  [0x6832_0005, 'CONN_LOST', 'remote'],
  [undefined, 'PEER_ABORTED', 'remote'],
])('connFailure: RST_STREAM with %s is %s (ERR-2)', (rstCode, code, side) => {
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

test('resetReason: names the code of the reset (ERR-1)', () => {
  const codes = Object.fromEntries(
    channelErrorCodes.map((code) => [code, resetReason(new ChannelError(code, 'x')).rstCode] as const),
  )
  expect(codes).toMatchObject({ INTERNAL: 2, INVALID_MESSAGE: 1, INVALID_FRAME: 1, TRUNCATED_FRAME: 1 })
  expect(codes).toMatchObject({ MESSAGE_TOO_LARGE: 6, PEER_TOO_SLOW: 0x6832_0004, ABORTED: 8, CLOSED: 8 })
  expect(codes).toMatchObject({ GOING_AWAY: 0x6832_0001, RATE_LIMITED: 0x6832_0002, UNAUTHENTICATED: 0x6832_0003 })
  expect(resetReason(new ChannelError('ABORTED', 'mine'))).toMatchObject({
    message: 'mine',
    cause: { code: 'ABORTED' },
  })
})

test.each([
  ['1', 1],
  ['2', 2],
  ['999999999', 999_999_999],
  ['1234567890', undefined],
  ['0', undefined],
  ['01', undefined],
  ['+1', undefined],
  ['', undefined],
  ['1.0', undefined],
  ['1;a=b', undefined],
  ['yes', undefined],
  ['1, 1', undefined],
  [undefined, undefined],
  [['1'], undefined],
])('announcedVersion: %j announces %s (VER-2)', (value, announced) => {
  expect(announcedVersion(value)).toBe(announced)
})

test('decodeControl: makes a reason printable (CLOSE-3)', () => {
  const body = Uint8Array.of(1, 1, ...utf8('X'), ...utf8('a\u001b[31m\r\nb\u202ec'), 0xff)
  expect(decodeControl(body)).toEqual({ type: 'close', code: 'X', reason: 'a [31m b c\ufffd' })
})
