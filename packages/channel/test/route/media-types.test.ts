// oxlint-disable vitest/expect-expect -- one test asserts only that nothing throws
import type { Codec } from '@h2channel/codecs'
import { bool, bytes, json, msgpack, oneOf, struct, u16 } from '@h2channel/codecs'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

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

const jsonFormats = formats(json())
const bothFormats = formats(oneOf(msgpack(), json()))

describe('createFormats', () => {
  test.each([
    [json(), undefined, [`${vnd}+json in length-prefixed`, 'application/x-ndjson in newline-delimited']],
    [json(), newlineDelimited(), ['application/x-ndjson in newline-delimited', `${vnd}+json in length-prefixed`]],
    [msgpack(), undefined, [`${vnd}+msgpack in length-prefixed`]],
    [bytes(), undefined, [`${vnd}+bytes in length-prefixed`]],
    [bytes(4), undefined, [`${vnd}+bytes; size=4 in length-prefixed`, 'application/octet-stream in fixed-length 4']],
    [
      bytes(4),
      fixedLength(4),
      ['application/octet-stream in fixed-length 4', `${vnd}+bytes; size=4 in length-prefixed`],
    ],
    [
      layout,
      undefined,
      [`${vnd}+struct; layout="a:u16,b:bool" in length-prefixed`, 'application/octet-stream in fixed-length 3'],
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
    'lists the formats of a codec (%#)',
    (codec, framing, list) => {
      expect(names(codec, framing)).toEqual(list)
    },
  )

  test('lists a media type once, for the codec that comes first', () => {
    const list = names(oneOf(layout, little))
    expect(list).toHaveLength(3)
    expect(list.filter((name) => name.startsWith('application/octet-stream'))).toHaveLength(1)
  })

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
    ['an open quote', 'application/x-ndjson; charset="', 'application/x-ndjson'],
  ])('takes %s', (_what, header, expected) => {
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
  ])('compares a layout %s', (_what, header, expected) => {
    expect(formatForContentType(structs, header)?.mediaType).toBe(expected)
  })

  test('distinguishes the two byte orders', () => {
    const both = formats(oneOf(layout, little))
    expect(formatForContentType(both, quoted)?.mediaType).toBe(quoted)
    expect(formatForContentType(both, `${quoted}; endian=little`)?.mediaType).toBe(`${quoted}; endian=little`)
    expect(formatForContentType(formats(little), quoted)).toBeUndefined()
  })

  test('never throws, whatever the header', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 60 }), (header) => {
        formatForContentType(jsonFormats, header)
        negotiateFormat(bothFormats, header, lengthPrefixed())
      }),
      { numRuns: 500 },
    )
  })
})

describe('negotiateFormat', () => {
  test.each([
    ['no header', undefined, `${vnd}+msgpack`],
    ['anything', '*/*', `${vnd}+msgpack`],
    ['any application', 'application/*', `${vnd}+msgpack`],
    ['one', `${vnd}+json`, `${vnd}+json`],
    ['one with a charset', 'application/x-ndjson; charset=utf-8;q=0.9', 'application/x-ndjson'],
    ['one in another case', 'Application/X-NDJSON', 'application/x-ndjson'],
    ['a missing type, and an available type', `text/html, ${vnd}+json`, `${vnd}+json`],
    ['one less than another', `${vnd}+msgpack;q=0.5, ${vnd}+json;q=0.9`, `${vnd}+json`],
    ['anything less than one', `*/*;q=0.1, application/x-ndjson`, 'application/x-ndjson'],
    ['anything but one', `${vnd}+msgpack;q=0, */*`, `${vnd}+json`],
    ['one with a parameter that ours does not have', `${vnd}+json;version=2`, undefined],
    ['none of them', 'text/html', undefined],
    ['nothing', '*/*;q=0', undefined],
    ['the empty string', '', undefined],
    ['nonsense', ';;,,;q=,"', undefined],
    ['a quality that is not a number', `${vnd}+json;q=high`, undefined],
    ['a quality above 1', `${vnd}+json;q=5, application/x-ndjson;q=0.1`, 'application/x-ndjson'],
    ['a quality of four digits', `${vnd}+json;q=0.1234, application/x-ndjson;q=0.1`, 'application/x-ndjson'],
    ['a quality in another notation', `${vnd}+json;q=1e0, application/x-ndjson;q=1.000`, 'application/x-ndjson'],
  ])('gives the best for %s', (_what, header, expected) => {
    expect(negotiateFormat(bothFormats, header, lengthPrefixed())?.mediaType).toBe(expected)
  })

  test('knows layouts in an accept header', () => {
    const quoted = `${vnd}+struct; layout="a:u16,b:bool"`
    expect(negotiateFormat(formats(layout), `text/html, ${quoted};q=0.5`, lengthPrefixed())?.mediaType).toBe(quoted)
    expect(negotiateFormat(formats(layout), `${vnd}+struct; layout="a:u16"`, lengthPrefixed())).toBeUndefined()
  })

  describe('octet-stream, with the record types that it may stand for', () => {
    const octets = 'application/octet-stream'
    const [named, other] = [`${vnd}+struct; layout="a:u16,b:bool"`, `${vnd}+struct; layout="b:bool,a:u16"`]
    // Records of the client, all with three bytes.
    const own: Codec<unknown> = { ...bytes(3), name: 'trade', contentType: 'application/x-trade' }
    const one: Codec<unknown> = layout
    const lists = {
      one: formats(one, fixedLength(3)),
      'one and own': formats(oneOf(one, own), fixedLength(3)),
      'own and one': formats(oneOf(own, one), fixedLength(3)),
      'json and one': formats(oneOf(json(), one), fixedLength(3)),
      'one and model': formats(oneOf(one, { ...own, contentType: 'model/x-trade' }), fixedLength(3)),
    }

    test.each([
      ['one', octets, octets],
      ['one', `${octets}, ${named}`, octets],
      ['one', `${octets}, ${named};q=0.5`, octets],
      ['one', `${octets}, */*;q=0.1`, octets],
      ['one', `${octets}, ${vnd}+json, ${vnd}+msgpack, application/x-ndjson, application/json`, octets],
      ['one', `${other}, ${octets}`, undefined],
      ['one', `${octets}, ${other}`, undefined],
      ['one', `${vnd}+bytes; size=3, ${octets}`, undefined],
      // The octets would be the records that it names first.
      ['one', `${octets}, ${other}, ${named}`, named],
      ['one', `${octets}, ${other};q=0, ${named}`, octets],
      // Types that a client accepts for error bodies name no record.
      ['one', `text/plain, text/html;q=0.1, image/*, application/*;q=0.1, ${octets}`, octets],
      ['one', `application/problem+json, application/cbor, application/msgpack, application/xml, ${octets}`, octets],
      ['one', `application/vnd.acme.error+xml, ${octets}`, octets],
      ['one', `application/vnd.msgpack, application/ndjson, application/jsonl, ${octets}`, octets],
      ['one', `application/json-seq, application/geo+json-seq, ${octets}`, octets],
      ['one', `application/vnd.ndjson, ${octets}`, undefined],
      // A type that this side does not know may name a record.
      ['one', `application/vnd.acme.trade, ${octets}`, undefined],
      ['one', `${octets}, application/x-trade`, undefined],
      ['one', `${octets}, application/x-trade, ${named}`, named],
      ['one and own', `${octets}, ${named}, application/x-trade`, octets],
      ['one and own', `${octets}, application/x-trade, ${named}`, 'application/x-trade'],
      ['own and one', `${octets}, application/x-trade, ${named}`, octets],
      ['own and one', `${octets}, ${named}, application/x-trade`, named],
      ['json and one', `${octets}, ${vnd}+json, ${named}`, octets],
      ['one and model', `${octets}, model/x-trade`, 'model/x-trade'],
    ] as const)('%s: %s', (list, accept, expected) => {
      expect(negotiateFormat(lists[list], accept, fixedLength(3))?.mediaType).toBe(expected)
    })
  })

  test('reads several of the longest layouts, and no longer header', () => {
    const layouts = ['one', 'two', 'three'].map((name) =>
      struct(Object.fromEntries(Array.from({ length: 260 }, (_, index) => [`${name}FieldWithALongName${index}`, u16]))),
    )
    const accept = layouts.map(({ contentType }) => contentType).join(', ')
    expect(accept.length).toBeGreaterThan(20_000)
    const [, , third] = layouts
    expect(negotiateFormat(formats(third ?? json()), accept, lengthPrefixed())?.mediaType).toBe(third?.contentType)
    const longer = `${accept}, ${'x/y,'.repeat(4_096)}`
    expect(negotiateFormat(formats(third ?? json()), longer, lengthPrefixed())).toBeUndefined()
  })

  test('prefers the framing of the request', () => {
    expect(negotiateFormat(bothFormats, '*/*', newlineDelimited())?.mediaType).toBe('application/x-ndjson')
    expect(negotiateFormat(bothFormats, undefined, newlineDelimited())?.mediaType).toBe('application/x-ndjson')
    expect(negotiateFormat(bothFormats, undefined, fixedLength(4))?.mediaType).toBe(`${vnd}+msgpack`)
  })
})
