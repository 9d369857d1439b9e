import { Decoder } from '@msgpack/msgpack'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Scanner } from '../src/msgpack-scan.ts'
import { codecError, hex, resultOrCode } from './support.ts'

const scanner = new Scanner(() => {})

/** Every kind of value that MessagePack has, each whole. */
const values = [
  '00', '7f', 'e0', 'ff', 'c0', 'c2', 'c3', 'cc 01', 'cd 01 02', 'ce 01 02 03 04', 'cf 00 00 00 00 00 00 00 01',
  'd0 01', 'd1 01 02', 'd2 01 02 03 04', 'd3 00 00 00 00 00 00 00 01', 'ca 00 00 00 00', 'cb 00 00 00 00 00 00 00 00',
  'a0', 'a2 61 62', 'd9 01 61', 'da 00 01 61', 'db 00 00 00 01 61', 'c4 01 61', 'c5 00 01 61', 'c6 00 00 00 01 61',
  '90', '92 01 02', 'dc 00 01 01', 'dd 00 00 00 01 01', '80', '81 a1 61 01', 'de 00 01 a1 61 01',
  'df 00 00 00 01 a1 61 01', 'd4 01 61', 'd5 01 61 62', 'd6 01 61 62 63 64', 'd7 01 61 62 63 64 65 66 67 68',
  'd8 01 61 62 63 64 65 66 67 68 61 62 63 64 65 66 67 68', 'c7 01 01 61', 'c8 00 01 01 61', 'c9 00 00 00 01 01 61',
  '92 91 90 81 a1 61 91 c0', 'dc 00 00', 'de 00 00', 'c4 00', 'd9 00', 'c7 00 01',
] // prettier-ignore

test.each(values)('Scanner: takes %s, refuses it cut short, refuses a byte more', (text) => {
  const bytes = hex(text)
  scanner.scan(bytes)
  expect(() => new Decoder().decode(bytes)).not.toThrow()
  for (let length = 0; length < bytes.length; length++) {
    codecError('DECODE_FAILED', () => scanner.scan(bytes.subarray(0, length)))
  }
  expect(codecError('DECODE_FAILED', () => scanner.scan(Uint8Array.of(...bytes, 0))).message).toContain('1 bytes after')
})

test.each(values)('Scanner: knows whether there are views in %s', (text) => {
  const bytes = hex(`92 01 ${text}`)
  scanner.scan(bytes)
  const head = bytes[2] ?? 0
  expect(scanner.hasBinary).toBe((head >= 0xc4 && head <= 0xc9) || (head >= 0xd4 && head <= 0xd8))
})

test('Scanner: finds views below', () => {
  scanner.scan(hex('81 a1 61 91 c4 00'))
  expect(scanner.hasBinary).toBe(true)
  scanner.scan(hex('81 a1 61 91 c0'))
  expect(scanner.hasBinary).toBe(false)
})

test('Scanner: shows each string that is not ASCII', () => {
  const seen: [number, number][] = []
  const watching = new Scanner((_, from, to) => seen.push([from, to]))
  watching.scan(hex('83 a1 61 a2 c3 a9 a2 c3 a9 d9 02 c3 a9 a1 62 c4 02 c3 a9'))
  expect(seen).toEqual([
    [4, 6],
    [7, 9],
    [11, 13],
  ])
})

test('Scanner: refuses a claim of more items than there are bytes', () => {
  expect(codecError('DECODE_FAILED', () => scanner.scan(hex('93 01 02'))).message).toContain('claimed')
  codecError('DECODE_FAILED', () => scanner.scan(hex('82 a1 61 01')))
  codecError('DECODE_FAILED', () => scanner.scan(hex('92 92 01 02')))
})

test('Scanner: counts open arrays and maps, not the ones that are done', () => {
  const empty = Uint8Array.of(0xdc, 0x10, 0x00, ...new Uint8Array(4096).fill(0x90))
  expect(() => scanner.scan(empty)).not.toThrow()
  const chains = hex(`dc 02 58 ${'91 91 c0 '.repeat(600)}`)
  expect(() => scanner.scan(chains)).not.toThrow()
})

test('Scanner: refuses whatever the decoder refuses for its structure', () => {
  const heads = fc.constantFrom(...values.flatMap((text) => hex(text)[0] ?? 0))
  const inputs = fc.array(fc.oneof(heads, fc.nat({ max: 5 })), { maxLength: 24 }).map((bytes) => Uint8Array.from(bytes))
  fc.assert(
    fc.property(inputs, (bytes) => {
      fc.pre(resultOrCode(() => scanner.scan(bytes)) === undefined)
      let complaint = ''
      try {
        new Decoder().decode(bytes)
      } catch (error) {
        complaint = String(error)
      }
      // What is left to the decoder: the types of keys, and what timestamps hold.
      expect(complaint).toMatch(/^$|type of key|key __proto__|timestamp/)
    }),
    { numRuns: 10_000 },
  )
})
