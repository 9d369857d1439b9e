// oxlint-disable vitest/expect-expect -- one test asserts only that nothing throws
import type { Codec } from '@h2channel/codecs'
import { bool, bytes, json, msgpack, oneOf, struct, u16 } from '@h2channel/codecs'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { Format } from '../../src/route/media-types.ts'
import { negotiateFormat, formatForContentType, createFormats, acceptHeader } from '../../src/route/media-types.ts'
import type { Framing } from '../../src/index.ts'
import { fixedLength, lengthPrefixed, newlineDelimited } from '../../src/index.ts'

const vnd = 'application/vnd.h2channel'
const layout = struct({ a: u16, b: bool })
const little = struct({ a: u16, b: bool }, { endian: 'little' })

function formats(codec: Codec<unknown>, framing?: Framing): ReturnType<typeof createFormats> {
  return createFormats(codec, framing)
}

function names(codec: Codec<unknown>, framing?: Framing): string[] {
  return formats(codec, framing).map((format) => `${format.mediaType} in ${format.framing.name}`)
}

/** A format of a request with this framing. */
function of(framing: Framing): Format<unknown> {
  const codec = framing.name.startsWith('fixed-length') ? bytes(Number(framing.name.split(' ')[1])) : json()
  const [first] = formats(codec, framing)
  if (first === undefined) throw new Error(`no format has ${framing.name}`)
  return first
}

const anyLayout: Codec<unknown> = layout
const jsonFormats = formats(json())
const bothFormats = formats(oneOf(msgpack(), json()))

describe('createFormats', () => {
  test.each([
    [json(), undefined, [`${vnd}+json in length-prefixed`, 'application/x-ndjson in newline-delimited']],
    [json(), newlineDelimited(), ['application/x-ndjson in newline-delimited', `${vnd}+json in length-prefixed`]],
    [msgpack(), undefined, [`${vnd}+msgpack in length-prefixed`]],
    [bytes(), undefined, [`${vnd}+bytes in length-prefixed`]],
    [
      bytes(4),
      undefined,
      [`${vnd}+bytes; size=4 in length-prefixed`, 'application/octet-stream; size=4 in fixed-length 4'],
    ],
    [
      bytes(4),
      fixedLength(4),
      ['application/octet-stream; size=4 in fixed-length 4', `${vnd}+bytes; size=4 in length-prefixed`],
    ],
    [
      layout,
      undefined,
      [
        `${vnd}+struct; layout="a:u16,b:bool" in length-prefixed`,
        'application/octet-stream; layout="a:u16,b:bool" in fixed-length 3',
      ],
    ],
    [
      little,
      undefined,
      [
        `${vnd}+struct; layout="a:u16,b:bool"; endian=little in length-prefixed`,
        'application/octet-stream; layout="a:u16,b:bool"; endian=little in fixed-length 3',
      ],
    ],
    [
      { ...bytes(12), contentType: 'application/vnd.example+trade; version=2' },
      undefined,
      [
        'application/vnd.example+trade; version=2 in length-prefixed',
        'application/octet-stream; size=12 in fixed-length 12',
      ],
    ],
    [
      oneOf(msgpack(), json()),
      undefined,
      [
        `${vnd}+msgpack in length-prefixed`,
        `${vnd}+json in length-prefixed`,
        'application/x-ndjson in newline-delimited',
      ],
    ],
    [
      oneOf(msgpack(), json()),
      newlineDelimited(),
      [
        'application/x-ndjson in newline-delimited',
        `${vnd}+msgpack in length-prefixed`,
        `${vnd}+json in length-prefixed`,
      ],
    ],
  ] as [Codec<unknown>, Framing | undefined, string[]][])(
    'lists the formats of a codec, with the parameters of its record (%#) (TYPE-5)',
    (codec, framing, list) => {
      expect(names(codec, framing)).toEqual(list)
    },
  )

  const four: Codec<unknown> = bytes(4)
  const eight: Codec<unknown> = bytes(8)
  const trade: Codec<unknown> = { ...bytes(4), name: 'trade', contentType: 'application/vnd.example+trade' }

  test('lists lines once, for the codec that comes first', () => {
    const other: Codec<unknown> = { ...json(), contentType: 'application/vnd.example+json' }
    const [, first, , ...more] = formats(oneOf(other, json()))
    expect(first).toMatchObject({ mediaType: 'application/x-ndjson', codec: other })
    expect(more).toEqual([])
  })

  test('lists octets of a size only where one codec has that size (TYPE-6)', () => {
    expect(names(oneOf(trade, eight))).toContain('application/octet-stream; size=4 in fixed-length 4')
    expect(names(oneOf(trade, four))).toEqual([
      'application/vnd.example+trade in length-prefixed',
      `${vnd}+bytes; size=4 in length-prefixed`,
    ])
    expect(names(oneOf(layout, little))).toHaveLength(4)
  })

  test.each(['', 'trade', 'application/', 'a/b; c', 'a/b; c=1; C=2', 'a/b; charset=latin1', 'a/b, c/d'])(
    'refuses a codec whose media type is %j (TYPE-4)',
    (contentType) => {
      expect(() => formats({ ...trade, contentType })).toThrow(expect.objectContaining({ code: 'INVALID_ROUTE' }))
    },
  )

  test('refuses a framing that no media type names', () => {
    const own: Framing = { ...lengthPrefixed(), name: 'own' }
    expect(() => formats(json(), own)).toThrow(expect.objectContaining({ code: 'INVALID_ROUTE' }))
  })

  test('acceptHeader: lists the media types for a header', () => {
    expect(acceptHeader(jsonFormats)).toBe(`${vnd}+json, application/x-ndjson`)
  })
})

describe('formatForContentType', () => {
  test.each([
    ['the type', `${vnd}+json`, `${vnd}+json`],
    ['another of the codec', 'application/x-ndjson', 'application/x-ndjson'],
    ['another case', 'APPLICATION/VND.H2Channel+JSON', `${vnd}+json`],
    ['a charset', `${vnd}+json; charset=utf-8`, `${vnd}+json`],
    ['a charset without spaces', 'application/x-ndjson;Charset="UTF-8"', 'application/x-ndjson'],
    ['spaces', `  ${vnd}+json  ;  charset=utf-8 `, `${vnd}+json`],
    ['a parameter that is not ours', `${vnd}+json; version=2`, undefined],
    ['another type', 'text/html', undefined],
    ['a prefix of a type', `${vnd}+jso`, undefined],
    ['two types', `${vnd}+json, application/x-ndjson`, undefined],
    ['a range', '*/*', undefined],
    ['the empty string', '', undefined],
    ['semicolons', ';;;', undefined],
    ['semicolons without a parameter', 'application/x-ndjson;; ;charset=utf-8;', 'application/x-ndjson'],
    ['another charset', 'application/x-ndjson; charset=latin1', undefined],
    ['a charset twice', 'application/x-ndjson; charset=utf-8; charset=utf-8', undefined],
    ['an open quote', 'application/x-ndjson; charset="', undefined],
    ['text after a quote', 'application/x-ndjson; charset="utf-8"x', undefined],
    ['a parameter without a value', 'application/x-ndjson; charset', undefined],
    ['a parameter with an empty value', 'application/x-ndjson; charset=', undefined],
    ['spaces around an equals sign', 'application/x-ndjson; charset = utf-8', undefined],
    ['spaces within the type', 'application / x-ndjson', undefined],
    ['text after the type', 'application/x-ndjson charset=utf-8', undefined],
    ['a character that no token has', 'application/x-ndjson; a@b=c', undefined],
    ['a weight', 'application/x-ndjson; q=1', undefined],
  ])('takes %s (TYPE-3, TYPE-4)', (_what, header, expected) => {
    expect(formatForContentType(jsonFormats, header)?.mediaType).toBe(expected)
  })

  const structs = formats(layout)
  const quoted = `${vnd}+struct; layout="a:u16,b:bool"`

  test.each([
    ['quoted', quoted, quoted],
    ['with other spaces', `${vnd}+struct;layout="a:u16,b:bool"`, quoted],
    ['with escapes', `${vnd}+struct;layout="a\\:u16,b:bool"`, quoted],
    ['with a name in other letters', `${vnd}+struct;LAYOUT="a:u16,b:bool"`, quoted],
    ['in other letters', `${vnd}+struct;layout="A:u16,b:bool"`, undefined],
    ['of another struct', `${vnd}+struct; layout="a:u16"`, undefined],
    ['left out', `${vnd}+struct`, undefined],
    ['in another order of bytes', `${quoted}; endian=little`, undefined],
    ['twice', `${quoted}; layout="a:u16,b:bool"`, undefined],
    ['with a default that is spelt out', `${quoted}; endian=big`, undefined],
  ])('compares a layout %s (TYPE-1, TYPE-2)', (_what, header, expected) => {
    expect(formatForContentType(structs, header)?.mediaType).toBe(expected)
  })

  test('distinguishes the two byte orders', () => {
    const both = formats(oneOf(layout, little))
    expect(formatForContentType(both, quoted)?.mediaType).toBe(quoted)
    expect(formatForContentType(both, `${quoted}; endian=little`)?.mediaType).toBe(`${quoted}; endian=little`)
    expect(formatForContentType(formats(little), quoted)).toBeUndefined()
  })

  test('does not regard the order of parameters (TYPE-1)', () => {
    const swapped = `${vnd}+struct; endian=little; layout="a:u16,b:bool"`
    expect(formatForContentType(formats(little), swapped)?.codec).toBe(little)
  })

  test('names no record by octet-stream alone (TYPE-5)', () => {
    expect(formatForContentType(structs, 'application/octet-stream')).toBeUndefined()
    expect(formatForContentType(structs, 'application/octet-stream; size=3')).toBeUndefined()
    expect(formatForContentType(formats(bytes(3)), 'application/octet-stream; size=03')).toBeUndefined()
    const octets = formatForContentType(structs, 'application/octet-stream; layout="a:u16,b:bool"')
    expect(octets?.kind).toBe('fixed-length')
  })

  test('needs linear time for any header', () => {
    const long = 200_000
    const headers = [' ', '\t;', ';', '; ', '"', '"\\', '\\', ';a="', ';a="b"', ';a=b', ',', '/', 'a', 'a/'].flatMap(
      (part) => {
        const repeated = part.repeat(long / part.length)
        return [repeated, `a/b${repeated}`, `a/b;c="${repeated}`, `a/b ${repeated}`, `a/b;c=${repeated}x`]
      },
    )
    const began = performance.now()
    for (const header of headers) {
      formatForContentType(jsonFormats, header)
      negotiateFormat(jsonFormats, header, of(lengthPrefixed()))
    }
    // 140 headers: with quadratic time, one of them alone takes longer.
    expect(performance.now() - began).toBeLessThan(10_000)
  }, 30_000)

  test('never throws, whatever the header', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 60 }), (header) => {
        formatForContentType(jsonFormats, header)
        negotiateFormat(bothFormats, header, of(lengthPrefixed()))
      }),
      { numRuns: 500 },
    )
  })
})

describe('negotiateFormat', () => {
  test.each([
    ['no header', undefined, `${vnd}+json`],
    ['anything', '*/*', `${vnd}+json`],
    ['any application', 'application/*', `${vnd}+json`],
    ['one', `${vnd}+json`, `${vnd}+json`],
    ['one with a charset', 'application/x-ndjson; charset=utf-8;q=0.9', 'application/x-ndjson'],
    ['one in another case', 'Application/X-NDJSON', 'application/x-ndjson'],
    ['a missing type, and an available type', `text/html, ${vnd}+json`, `${vnd}+json`],
    ['one less than another', `${vnd}+msgpack;q=0.5, ${vnd}+json;q=0.9`, `${vnd}+json`],
    ['anything less than one', `*/*;q=0.1, application/x-ndjson`, 'application/x-ndjson'],
    ['anything but one', `${vnd}+json;q=0, */*`, `${vnd}+msgpack`],
    ['anything and one', `*/*, ${vnd}+msgpack`, `${vnd}+msgpack`],
    ['anything rather than one', `${vnd}+json;q=0.5, */*`, `${vnd}+msgpack`],
    ['any application less than the rest', 'application/*;q=0.1, */*;q=0.2', `${vnd}+json`],
    ['one twice, where the first counts', `${vnd}+msgpack;q=0, ${vnd}+msgpack, */*;q=0.5`, `${vnd}+json`],
    ['one with a parameter that ours does not have', `${vnd}+json;version=2`, undefined],
    ['none of them', 'text/html', undefined],
    ['nothing', '*/*;q=0', undefined],
    ['the empty string', '', undefined],
    ['nonsense', ';;,,;q=,"', undefined],
    ['a quality that is not a number', `${vnd}+json;q=high`, undefined],
    ['a quality above 1', `${vnd}+json;q=5, application/x-ndjson;q=0.1`, 'application/x-ndjson'],
    ['a quality in quotes', `${vnd}+json;q="1", application/x-ndjson;q=0.1`, 'application/x-ndjson'],
    ['a quality in a capital letter', `${vnd}+json;Q=0.1, application/x-ndjson;q=0.2`, 'application/x-ndjson'],
    ['parameters after the quality', `${vnd}+json;q=0.2;version=2, application/x-ndjson;q=0.1`, `${vnd}+json`],
    [
      'an open quote, which lasts to the end',
      `application/x-ndjson;q=0.1, ${vnd}+json;a=", ${vnd}+msgpack`,
      'application/x-ndjson',
    ],
    ['commas within quotes', `text/plain;a="b\\",c", ${vnd}+msgpack`, `${vnd}+msgpack`],
    ['a quality of four digits', `${vnd}+json;q=0.1234, application/x-ndjson;q=0.1`, 'application/x-ndjson'],
    ['a quality in another notation', `${vnd}+json;q=1e0, application/x-ndjson;q=1.000`, 'application/x-ndjson'],
  ])('gives the best for %s (NEG-2, NEG-3, NEG-4)', (_what, header, expected) => {
    expect(negotiateFormat(bothFormats, header, of(lengthPrefixed()))?.mediaType).toBe(expected)
  })

  test('knows layouts in an accept header', () => {
    const quoted = `${vnd}+struct; layout="a:u16,b:bool"`
    expect(negotiateFormat(formats(layout), `text/html, ${quoted};q=0.5`, of(lengthPrefixed()))?.mediaType).toBe(quoted)
    expect(negotiateFormat(formats(layout), `${vnd}+struct; layout="a:u16"`, of(lengthPrefixed()))).toBeUndefined()
  })

  test('reads several of the longest layouts', () => {
    const layouts = ['one', 'two', 'three'].map((name) =>
      struct(Object.fromEntries(Array.from({ length: 260 }, (_, index) => [`${name}FieldWithALongName${index}`, u16]))),
    )
    const accept = layouts.map(({ contentType }) => contentType).join(', ')
    expect(accept.length).toBeGreaterThan(20_000)
    const [, , third] = layouts
    expect(negotiateFormat(formats(third ?? json()), accept, of(lengthPrefixed()))?.mediaType).toBe(third?.contentType)
  })

  const J = `${vnd}+json`
  const M = `${vnd}+msgpack`
  const record = `${vnd}+struct; layout="a:u16,b:bool"`
  const octets = 'application/octet-stream; layout="a:u16,b:bool"'
  const lines = 'application/x-ndjson'

  test.each([
    // The media type of the request.
    [oneOf(json(), msgpack()), msgpack(), undefined, '*/*', M],
    [oneOf(msgpack(), json()), json(), undefined, undefined, J],
    [oneOf(msgpack(), json()), json(), newlineDelimited(), '*/*', lines],
    // Its kind of framing, whatever the size.
    [oneOf(msgpack(), json()), bytes(), undefined, '*/*', M],
    [oneOf(msgpack(), anyLayout), bytes(8), fixedLength(8), '*/*', octets],
    [oneOf(layout, json()), json(), newlineDelimited(), `${lines};q=0, */*`, record],
    // The first.
    [msgpack(), json(), newlineDelimited(), '*/*', M],
    [oneOf(msgpack(), json()), bytes(8), fixedLength(8), undefined, M],
    // A name in `accept` precedes all of these, and a quality precedes a name.
    [oneOf(json(), msgpack()), json(), undefined, `*/*, ${M}`, M],
    [oneOf(json(), msgpack()), json(), undefined, `${M};q=0.9, */*`, J],
  ] as [Codec<unknown>, Codec<unknown>, Framing | undefined, string | undefined, string][])(
    'follows the request where accept leaves several (%#) (NEG-1, NEG-5)',
    (codec, asked, framing, accept, expected) => {
      const [request] = formats(asked, framing)
      expect(request && negotiateFormat(formats(codec), accept, request)?.mediaType).toBe(expected)
    },
  )
})
