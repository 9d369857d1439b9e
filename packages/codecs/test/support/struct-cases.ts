import assert from 'node:assert/strict'
import {
  array,
  bool,
  ByteWriter,
  choice,
  f32,
  f64,
  i16,
  i32,
  i64,
  i8,
  raw,
  text,
  u16,
  u32,
  u64,
  u8,
} from '../../src/index.ts'
import type { Codec, StructLayout } from '../../src/index.ts'

/** A layout and its records. It does not need vitest, which does not run where code cannot be compiled. */
export interface StructCase {
  readonly name: string
  readonly layout: StructLayout
  readonly endian?: 'big' | 'little'
  /** The text form of the layout. */
  readonly says: string
  /** Messages and their bytes. */
  readonly records: readonly (readonly [message: object, bytes: string])[]
  /** Messages that are refused, and why. */
  readonly refused?: readonly (readonly [message: unknown, why: string])[]
  /** Bytes that are not a record, and why. */
  readonly broken?: readonly (readonly [bytes: string, why: string])[]
}

const scalars = { a: u8, b: i8, c: u16, d: i16, e: u32, f: i32, g: u64, h: i64, i: f32, j: f64, k: bool }
const scalarsText = 'a:u8,b:i8,c:u16,d:i16,e:u32,f:i32,g:u64,h:i64,i:f32,j:f64,k:bool'
const message = { a: 1, b: -2, c: 3, d: -4, e: 5, f: -6, g: 7n, h: -8n, i: 1.5, j: -2.5, k: true }
const points = { path: array({ x: i16, tags: array(text(2), 2) }, 2) }
const orders = { orders: array({ side: choice('buy', 'sell'), price: u16 }, 3) }
const order = { side: 'buy', price: 1 }

export const structCases: readonly StructCase[] = [
  {
    name: 'numbers, big-endian',
    layout: scalars,
    says: scalarsText,
    records: [
      [
        message,
        '01 fe 00 03 ff fc 00 00 00 05 ff ff ff fa 00 00 00 00 00 00 00 07 ff ff ff ff ff ff ff f8 3f c0 00 00 c0 04 00 00 00 00 00 00 01',
      ],
    ],
    broken: [['', 'expected a record of 43 bytes, got 0']],
  },
  {
    name: 'numbers, little-endian',
    layout: scalars,
    endian: 'little',
    says: scalarsText,
    records: [
      [
        message,
        '01 fe 03 00 fc ff 05 00 00 00 fa ff ff ff 07 00 00 00 00 00 00 00 f8 ff ff ff ff ff ff ff 00 00 c0 3f 00 00 00 00 00 00 04 c0 01',
      ],
    ],
  },
  {
    name: 'text',
    layout: { a: text(4), b: u8 },
    says: 'a:text(4),b:u8',
    records: [
      [{ a: '', b: 255 }, '00 00 00 00 ff'],
      [{ a: 'ab', b: 1 }, '61 62 00 00 01'],
      [{ a: 'abcd', b: 1 }, '61 62 63 64 01'],
      [{ a: 'é', b: 1 }, 'c3 a9 00 00 01'],
      [{ a: '€', b: 1 }, 'e2 82 ac 00 01'],
      [{ a: '😀', b: 1 }, 'f0 9f 98 80 01'],
      [{ a: '\uFEFFx', b: 1 }, 'ef bb bf 78 01'],
      [{ a: '\uFFFD', b: 1 }, 'ef bf bd 00 01'],
    ],
    refused: [
      [{ a: 'abcde', b: 1 }, 'a: expected text of at most 4 bytes of UTF-8, got 5 bytes'],
      [{ a: '€€', b: 1 }, 'a: expected text of at most 4 bytes of UTF-8, got 6 bytes'],
      [{ a: 'ab😀', b: 1 }, 'a: expected text of at most 4 bytes of UTF-8, got 6 bytes'],
      [{ a: 'aéé', b: 1 }, 'a: expected text of at most 4 bytes of UTF-8, got 5 bytes'],
      [{ a: 'ab\0', b: 1 }, 'a: expected text of at most 4 bytes of UTF-8, got text with U+0000'],
      [{ a: '\0a', b: 1 }, 'a: expected text of at most 4 bytes of UTF-8, got text with U+0000'],
      [{ a: '\uD83D', b: 1 }, 'a: expected text of at most 4 bytes of UTF-8, got text with half a surrogate pair'],
      [{ a: '\uDE00a', b: 1 }, 'a: expected text of at most 4 bytes of UTF-8, got text with half a surrogate pair'],
      [{ a: '\uD83Da', b: 1 }, 'a: expected text of at most 4 bytes of UTF-8, got text with half a surrogate pair'],
      [{ a: 7, b: 1 }, 'a: expected text of at most 4 bytes of UTF-8, got the number 7'],
      [{ b: 1 }, 'a: expected text of at most 4 bytes of UTF-8, got undefined'],
    ],
    broken: [
      ['61 00 62 00 01', 'a: these bytes are not text of at most 4 bytes of UTF-8'],
      ['00 00 00 61 01', 'a: these bytes are not text of at most 4 bytes of UTF-8'],
      ['ff 00 00 00 01', 'a: these bytes are not text of at most 4 bytes of UTF-8'],
      ['61 62 63 c3 01', 'a: these bytes are not text of at most 4 bytes of UTF-8'],
      ['c0 80 00 00 01', 'a: these bytes are not text of at most 4 bytes of UTF-8'],
      ['ed a0 80 00 01', 'a: these bytes are not text of at most 4 bytes of UTF-8'],
      ['f4 90 80 80 01', 'a: these bytes are not text of at most 4 bytes of UTF-8'],
    ],
  },
  {
    name: 'raw bytes',
    layout: { a: u8, id: raw(3) },
    says: 'a:u8,id:raw(3)',
    records: [[{ a: 1, id: Uint8Array.of(0, 255, 7) }, '01 00 ff 07']],
    refused: [
      [{ a: 1, id: new Uint8Array(2) }, 'id: expected a Uint8Array of 3 bytes, got a view of 2 bytes'],
      [{ a: 1, id: new Uint8Array(4) }, 'id: expected a Uint8Array of 3 bytes, got a view of 4 bytes'],
      [{ a: 1, id: new Int8Array(3) }, 'id: expected a Uint8Array of 3 bytes, got a view of 3 bytes'],
      [{ a: 1, id: [1, 2, 3] }, 'id: expected a Uint8Array of 3 bytes, got an array of 3'],
      [{ a: 1 }, 'id: expected a Uint8Array of 3 bytes, got undefined'],
    ],
  },
  {
    name: 'a choice',
    layout: { side: choice('buy', 'sell'), ok: bool },
    says: 'side:choice(buy|sell),ok:bool',
    records: [
      [{ side: 'buy', ok: false }, '00 00'],
      [{ side: 'sell', ok: true }, '01 01'],
    ],
    refused: [
      [{ side: 'hold', ok: true }, 'side: expected one of buy, sell, got "hold"'],
      [{ side: '', ok: true }, 'side: expected one of buy, sell, got ""'],
      [{ side: 'a\nb\uD800', ok: true }, String.raw`side: expected one of buy, sell, got "a\nb\ud800"`],
      [{ side: 'x'.repeat(201), ok: true }, `side: expected one of buy, sell, got "${'x'.repeat(200)}…"`],
      [{ side: 'BUY', ok: true }, 'side: expected one of buy, sell, got "BUY"'],
      [{ side: 0, ok: true }, 'side: expected one of buy, sell, got 0'],
      [{ side: null, ok: true }, 'side: expected one of buy, sell, got null'],
    ],
    broken: [
      ['02 00', 'side: these bytes are not one of buy, sell'],
      ['ff 00', 'side: these bytes are not one of buy, sell'],
      ['00 02', 'ok: these bytes are not a boolean'],
    ],
  },
  {
    name: 'an array, little-endian',
    layout: { xs: array(u16, 3), more: array(array(u8, 2), 3), last: i8 },
    endian: 'little',
    says: 'xs:u16[3],more:u8[2][3],last:i8',
    records: [
      [
        {
          xs: [1, 2, 65_535],
          more: [
            [1, 2],
            [3, 4],
            [5, 6],
          ],
          last: -1,
        },
        '01 00 02 00 ff ff 01 02 03 04 05 06 ff',
      ],
    ],
    refused: [
      [{ xs: [1, 2] }, 'xs: expected an array of 3, got an array of 2'],
      [{ xs: [1, 2, 3, 4] }, 'xs: expected an array of 3, got an array of 4'],
      [{ xs: Uint16Array.of(1, 2, 3) }, 'xs: expected an array of 3, got a view of 6 bytes'],
      [{ xs: { 0: 1, 1: 2, 2: 3, length: 3 } }, 'xs: expected an array of 3, got an object'],
      [{ xs: [1, 2, 65_536] }, 'xs[2]: expected an integer from 0 to 65535, got 65536'],
      [{ xs: Array.from({ length: 3 }) }, 'xs[0]: expected an integer from 0 to 65535, got undefined'],
      [{ xs: [1, 2, 3], more: [[1, 2], [3], [4, 5]] }, 'more[1]: expected an array of 2, got an array of 1'],
      [
        {
          xs: [1, 2, 3],
          more: [
            [1, 2],
            [3, 4],
            [5, -6],
          ],
        },
        'more[2][1]: expected an integer from 0 to 255, got -6',
      ],
    ],
  },
  {
    name: 'a nested layout',
    layout: { id: u8, at: { x: f32, deep: { ok: bool } } },
    says: 'id:u8,at:{x:f32,deep:{ok:bool}}',
    records: [[{ id: 1, at: { x: -0.5, deep: { ok: true } } }, '01 bf 00 00 00 01']],
    refused: [
      [{ id: 1 }, 'at: expected an object, got undefined'],
      [{ id: 1, at: null }, 'at: expected an object, got null'],
      [{ id: 1, at: 'here' }, 'at: expected an object, got a string'],
      [{ id: 1, at: { x: '1' } }, 'at.x: expected a number from -3.4028234663852886e+38'],
      [{ id: 1, at: { x: 1, deep: { ok: 1 } } }, 'at.deep.ok: expected a boolean, got 1'],
    ],
    broken: [['01 00 00 00 00 02', 'at.deep.ok: these bytes are not a boolean']],
  },
  {
    name: 'arrays and layouts in one another',
    layout: points,
    says: 'path:{x:i16,tags:text(2)[2]}[2]',
    records: [
      [
        {
          path: [
            { x: 1, tags: ['a', 'bc'] },
            { x: -1, tags: ['', 'é'] },
          ],
        },
        '00 01 61 00 62 63 ff ff 00 00 c3 a9',
      ],
    ],
    refused: [
      [
        {
          path: [
            { x: 1, tags: ['a', 'b'] },
            { x: 2, tags: ['c', 'def'] },
          ],
        },
        'path[1].tags[1]: expected text of at most 2 bytes of UTF-8, got 3 bytes',
      ],
      [{ path: [{ x: 1, tags: ['a', 'b'] }, undefined] }, 'path[1]: expected an object, got undefined'],
    ],
    broken: [
      ['00 01 61 00 62 63 ff ff 00 61 c3 a9', 'path[1].tags[0]: these bytes are not text of at most 2 bytes of UTF-8'],
    ],
  },
  {
    name: 'orders',
    layout: orders,
    says: 'orders:{side:choice(buy|sell),price:u16}[3]',
    records: [[{ orders: [order, order, { side: 'sell', price: 2 }] }, '00 00 01 00 00 01 01 00 02']],
    refused: [
      [
        { orders: [order, order, { side: 'buy', price: 70_000 }] },
        'orders[2].price: expected an integer from 0 to 65535, got 70000',
      ],
    ],
    broken: [['00 00 01 02 00 01 01 00 02', 'orders[1].side: these bytes are not one of buy, sell']],
  },
  {
    name: 'more fields than are written out',
    layout: Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`f${index}`, u8])),
    says: Array.from({ length: 11 }, (_, index) => `f${index}:u8`).join(),
    records: [
      [
        Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`f${index}`, index])),
        '00 01 02 03 04 05 06 07 08 09 0a',
      ],
    ],
    refused: [[Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`f${index}`, index])), 'f10: expected']],
  },
]

/** Runs one case with the codec of its layout. Throws at the first difference. */
export function checkStructCase(
  codec: Codec<unknown>,
  { says, endian, records, refused = [], broken = [] }: StructCase,
): void {
  const little = endian === 'little' ? '; endian=little' : ''
  assert.equal(codec.contentType, `application/vnd.h2channel+struct; layout="${says}"${little}`)
  for (const [sent, bytes] of records) {
    const out = new ByteWriter(1)
    codec.encode(sent, out)
    assert.equal(hexOf(out.written()), bytes)
    assert.equal(out.position, codec.size)
    const received = codec.decode(bytesOf(bytes))
    assert.deepStrictEqual(received, sent)
    assert.deepEqual(Object.keys(received ?? {}), Object.keys(sent))
    assert.equal(Object.getPrototypeOf(received), Object.prototype)
  }
  for (const [sent, why] of refused) {
    const out = new ByteWriter()
    assert.throws(() => codec.encode(sent, out), failure('ENCODE_FAILED', why))
    assert.equal(out.position, 0)
  }
  for (const [bytes, why] of broken) assert.throws(() => codec.decode(bytesOf(bytes)), failure('DECODE_FAILED', why))
}

function failure(code: string, why: string): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof Error && 'code' in error)
    assert.equal(error.code, code)
    assert.equal(error.message.slice(0, why.length), why)
    return true
  }
}

function bytesOf(digits: string): Uint8Array {
  return Uint8Array.from(Buffer.from(digits.replaceAll(' ', ''), 'hex'))
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
}
