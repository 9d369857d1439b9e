import { describe, expect, test } from 'vitest'

import type { PingEvents, RecordEvents } from '../../src/link/records.ts'
import { ackRecord, pingRecord, RecordReader, resetRecord } from '../../src/link/records.ts'
import { bytesOf, concat, hexOf, utf8 } from '../support/support.ts'

/** What a reader reports of these bytes, cut into chunks of `size`. */
function read(bytes: Uint8Array, size = Infinity): string[] {
  const found: string[] = []
  const events: RecordEvents & PingEvents = {
    onData: (parts, length) => found.push(`data ${hexOf(concat(parts))} of ${length}`),
    onAck: (offset) => found.push(`ack ${offset}`),
    onEndRecord: () => found.push('end'),
    onReset: (code) => found.push(`reset ${code}`),
    onPing: (opaque) => found.push(`ping ${hexOf(opaque)}`),
    onPong: (opaque) => found.push(`pong ${hexOf(opaque)}`),
  }
  const reader = new RecordReader()
  for (let at = 0; at < bytes.length; at += size) reader.read(bytes.subarray(at, at + size), events, events)
  return found
}

describe('a reader', () => {
  const all = concat([
    bytesOf('00 00 00 03 61 62 63'),
    ackRecord(2 ** 40 + 5),
    bytesOf('80 00 00 01 12'),
    resetRecord(0xffff_ffff),
    pingRecord('ping', utf8('a')),
    pingRecord('pong', utf8('')),
    bytesOf('80 00 00 02 7f 00'),
  ])
  const expected = ['data 61 62 63 of 3', `ack ${2 ** 40 + 5}`, 'end', 'reset 4294967295', 'ping 61', 'pong ']

  test.each([1, 2, 3, 4, 5, 7, 11, 1_000])(
    'finds records in chunks of %i bytes, and ignores unknown ones (LINK-6, LINK-7)',
    (size) => {
      expect(read(all, size)).toEqual(expected)
    },
  )

  test('reports nothing of a record before all of it is there (LINK-4)', () => {
    expect(read(bytesOf('00 00 00 03 61 62'), 1)).toEqual([])
  })

  test('stops when the link has ended', () => {
    let count = 0
    const reader = new RecordReader()
    const onEndRecord = (): void => {
      count += 1
      reader.stop()
    }
    const events = { onEndRecord } as unknown as RecordEvents & PingEvents
    reader.read(bytesOf('80 00 00 01 12 80 00 00 01 12'), events, events)
    expect(count).toBe(1)
  })

  test.each([
    ['a reserved bit', '40 00 00 01 61'],
    ['no body', '00 00 00 00'],
    ['no body of a control record', '80 00 00 00'],
    ['more than 16 KiB of data', '00 00 40 01'],
    ['more than 128 bytes of a control record', '80 00 00 81'],
    ['an ack that is too short', '80 00 00 02 11 00'],
    ['an ack that is too long', '80 00 00 0a 11 00 00 00 00 00 00 00 00 00'],
    ['an end with a body', '80 00 00 02 12 00'],
    ['a reset without a code', '80 00 00 01 13'],
  ])('refuses %s (LINK-7)', (_what, hex) => {
    expect(() => read(bytesOf(hex))).toThrow(expect.objectContaining({ code: 'PROTOCOL_ERROR' }))
  })

  test('accepts the longest bodies (LINK-6)', () => {
    expect(read(concat([bytesOf('00 00 40 00'), new Uint8Array(16_384)]))).toHaveLength(1)
    expect(read(concat([bytesOf('80 00 00 80 14'), new Uint8Array(127)]))).toHaveLength(1)
  })
})

test('the bytes of each record that is written (LINK-6)', () => {
  expect(hexOf(ackRecord(11))).toBe('80 00 00 09 11 00 00 00 00 00 00 00 0b')
  expect(hexOf(resetRecord(8))).toBe('80 00 00 05 13 00 00 00 08')
  expect(hexOf(pingRecord('ping', bytesOf('00 01')))).toBe('80 00 00 03 14 00 01')
  expect(hexOf(pingRecord('pong', bytesOf('00 01')))).toBe('80 00 00 03 15 00 01')
})
