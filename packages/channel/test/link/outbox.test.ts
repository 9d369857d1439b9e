import { describe, expect, test } from 'vitest'

import { Outbox } from '../../src/link/outbox.ts'
import { bytesOf, concat, hexOf, utf8 } from '../support/support.ts'

/** Everything that is to be sent, as one text. */
function sent(outbox: Outbox): string {
  const parts: Uint8Array[] = []
  for (let records = outbox.take(); records !== undefined; records = outbox.take()) parts.push(records)
  return hexOf(concat(parts))
}

const protocolError = expect.objectContaining({ name: 'ConnError', code: 'PROTOCOL_ERROR' })

describe('records', () => {
  test('of data have the prefix of length-prefixed framing (LINK-6)', () => {
    const outbox = new Outbox(100)
    expect(outbox.append(utf8('abc'), 0)).toBe(3)
    expect(sent(outbox)).toBe('00 00 00 03 61 62 63')
    expect(sent(outbox)).toBe('')
  })

  test('grow as long as they were not taken', () => {
    const outbox = new Outbox(100)
    outbox.append(utf8('ab'), 0)
    outbox.append(utf8('c'), 0)
    expect(sent(outbox)).toBe('00 00 00 03 61 62 63')
    outbox.append(utf8('d'), 0)
    expect(sent(outbox)).toBe('00 00 00 01 64')
  })

  test('of the end take one place of the offset (LINK-8)', () => {
    const outbox = new Outbox(4)
    outbox.append(utf8('abc'), 0)
    expect(outbox.appendEnd()).toBe(true)
    expect(sent(outbox)).toBe('00 00 00 03 61 62 63 80 00 00 01 12')
    outbox.acknowledge(3)
    expect(outbox.isDelivered).toBe(false)
    outbox.acknowledge(4)
    expect(outbox.isDelivered).toBe(true)
  })

  test('are at most 16 KiB long, prefix included, so that a frame of HTTP/2 has room for one', () => {
    const outbox = new Outbox(1_000_000)
    outbox.append(new Uint8Array(100_000), 0)
    const lengths: number[] = []
    for (let records = outbox.take(); records !== undefined; records = outbox.take()) {
      for (let at = 0; at < records.length;) {
        const length = new DataView(records.buffer, records.byteOffset).getUint32(at)
        lengths.push(length)
        at += 4 + length
      }
    }
    expect(Math.max(...lengths)).toBe(16_380)
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(100_000)
  })
})

describe('the window', () => {
  test('bounds what is accepted, and an ack moves it (LINK-8)', () => {
    const outbox = new Outbox(4)
    expect(outbox.append(utf8('abcdef'), 0)).toBe(4)
    expect(outbox.hasRoom).toBe(false)
    expect(outbox.append(utf8('abcdef'), 4)).toBe(4)
    expect(outbox.appendEnd()).toBe(false)
    expect(sent(outbox)).toBe('00 00 00 04 61 62 63 64')
    outbox.acknowledge(1)
    expect(outbox.append(utf8('abcdef'), 4)).toBe(5)
    expect(sent(outbox)).toBe('00 00 00 01 65')
  })

  test('is not moved by what the peer has received only', () => {
    const outbox = new Outbox(4)
    outbox.append(utf8('abcd'), 0)
    sent(outbox)
    outbox.rewind(4)
    expect(outbox.hasRoom).toBe(false)
  })

  test('bounds memory too, however short the records are', () => {
    const window = 256 * 1024
    const outbox = new Outbox(window)
    let accepted = 0
    while (outbox.hasRoom) {
      accepted += outbox.append(Uint8Array.of(1), 0)
      outbox.take()
    }
    expect(accepted).toBeLessThan(window)
    expect(outbox.held).toBeLessThanOrEqual(window + 2 * 65_536)
    outbox.acknowledge(accepted)
    expect(outbox.held).toBe(0)
  })

  test('costs an idle link nothing once all is acknowledged', () => {
    const outbox = new Outbox(1_000)
    outbox.append(utf8('abc'), 0)
    expect(outbox.held).toBe(256)
    sent(outbox)
    outbox.acknowledge(3)
    expect(outbox.held).toBe(0)
  })
})

describe('memory is used again', () => {
  const size = 100_000
  const takenOf = (outbox: Outbox): Uint8Array => {
    outbox.append(new Uint8Array(size), 0)
    return outbox.take() ?? expect.fail('nothing to take')
  }

  test('once the peer has it and nothing reads it any more', () => {
    const outbox = new Outbox(1_000_000)
    const first = takenOf(outbox)
    outbox.handedOn(true)
    outbox.acknowledge(size)
    expect(takenOf(outbox).buffer).toBe(first.buffer)
  })

  test.each([
    ['something may still refer to it', (outbox: Outbox) => outbox.handedOn(false)],
    ['it was not handed on', () => {}],
    [
      'a carrier that was lost may read it',
      (outbox: Outbox) => {
        outbox.rewind(0)
        outbox.take()
        outbox.handedOn(true)
      },
    ],
  ])('but not where %s', (_where, before) => {
    const outbox = new Outbox(1_000_000)
    const first = takenOf(outbox)
    before(outbox)
    outbox.acknowledge(size)
    outbox.handedOn(true)
    expect(takenOf(outbox).buffer).not.toBe(first.buffer)
  })
})

describe('a write', () => {
  test.each([65_540, 200_000])('of %i bytes leaves in one piece', (size) => {
    const outbox = new Outbox(1_048_576)
    for (let count = 0; count < 3; count++) {
      outbox.append(new Uint8Array(size), 0)
      expect(outbox.take()?.length).toBe(size + 4 * Math.ceil(size / 16_380))
      expect(outbox.take()).toBeUndefined()
    }
  })

  test('of any size leaves memory within the bound, and most of it is used', () => {
    const window = 1_048_576
    for (const size of [1, 10, 1_000, 20_000, 33_000, 50_000, 65_540, 140_000, 300_000]) {
      const outbox = new Outbox(window)
      let accepted = 0
      while (outbox.hasRoom) {
        accepted += outbox.append(new Uint8Array(size), 0)
        while (outbox.take() !== undefined);
      }
      expect(outbox.held).toBeLessThanOrEqual(window + 2 * 65_536)
      // More than half of a record of few bytes is its prefix.
      expect(accepted).toBeGreaterThan(size > 100 ? window * 0.75 : size)
    }
  })
})

describe('a new carrier', () => {
  test.each([
    [0, '00 00 00 03 61 62 63 00 00 00 02 64 65 80 00 00 01 12'],
    [1, '00 00 00 02 62 63 00 00 00 02 64 65 80 00 00 01 12'],
    [2, '00 00 00 01 63 00 00 00 02 64 65 80 00 00 01 12'],
    [3, '00 00 00 02 64 65 80 00 00 01 12'],
    [4, '00 00 00 01 65 80 00 00 01 12'],
    [5, '80 00 00 01 12'],
    [6, ''],
  ])('gets what follows the %i places that the peer has received (LINK-9)', (received, expected) => {
    const outbox = new Outbox(100)
    outbox.append(utf8('abc'), 0)
    outbox.take()
    outbox.append(utf8('de'), 0)
    outbox.appendEnd()
    outbox.take()
    outbox.rewind(received)
    expect(sent(outbox)).toBe(expected)
    outbox.rewind(received)
    expect(sent(outbox)).toBe(expected)
    expect(outbox.isDelivered).toBe(received === 6)
  })

  test('gets what was accepted without a carrier', () => {
    const outbox = new Outbox(100)
    outbox.append(utf8('abc'), 0)
    outbox.take()
    outbox.append(utf8('de'), 0)
    outbox.rewind(3)
    expect(sent(outbox)).toBe('00 00 00 02 64 65')
  })
})

describe('a peer that lies', () => {
  const used = (): Outbox => {
    const outbox = new Outbox(100)
    outbox.append(utf8('abcdef'), 0)
    outbox.take()
    outbox.append(utf8('never sent'), 0)
    outbox.acknowledge(4)
    return outbox
  }
  test('may not acknowledge what was never sent (LINK-7)', () => {
    expect(() => used().acknowledge(7)).toThrow(protocolError)
  })
  test('may not acknowledge less than before (LINK-7)', () => {
    expect(() => used().acknowledge(3)).toThrow(protocolError)
  })
  test('may not have received what was never sent (LINK-4)', () => {
    expect(() => used().rewind(7)).toThrow(protocolError)
  })
  test('may not have received less than before (LINK-4)', () => {
    expect(() => used().rewind(3)).toThrow(protocolError)
    const outbox = used()
    outbox.rewind(6)
    expect(() => outbox.rewind(5)).toThrow(protocolError)
  })
})

test('what was cleared is not sent', () => {
  const outbox = new Outbox(100)
  outbox.append(bytesOf('01 02'), 0)
  outbox.clear()
  expect(sent(outbox)).toBe('')
  expect(outbox.held).toBe(0)
})
