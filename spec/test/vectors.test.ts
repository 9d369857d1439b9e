/** The vectors of SPEC.md, and what the packages make of them. */
import type { FrameDecoder, Framing } from '@h2channel/channel'
import { ChannelError, fixedLength, lengthPrefixed, newlineDelimited } from '@h2channel/channel'
import { CodecError } from '@h2channel/codecs'
import { once } from 'node:events'
import type { Http2Server, ServerHttp2Session } from 'node:http2'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { codecOf } from '../../interop/vectors/src/codecs.ts'
import type { Case, InvalidBody } from '../src/cases.ts'
import { read, readCases, readLinkCases } from '../src/cases.ts'
import type { Target } from '../src/run-case.ts'
import { runCase } from '../src/run-case.ts'
import { runLinkCase } from '../src/run-link-case.ts'
import { createConformanceRouter } from '../src/server.ts'

interface FrameVector {
  readonly name: string
  readonly rules: readonly string[]
  readonly framing: 'length-prefixed' | 'newline-delimited' | 'fixed-length'
  readonly size?: number
  readonly limit: number
  readonly bytes: string
  readonly frames: readonly ({ readonly message: string } | { readonly control: string })[]
  readonly end?: true | string
  readonly error?: string
}

function titleOf({ name, rules }: { readonly name: string; readonly rules: readonly string[] }): string {
  return `${name} (${rules.join(', ')})`
}

describe('frames', () => {
  const ways = [
    ['whole', (bytes: Uint8Array) => [bytes]],
    ['byte by byte', (bytes: Uint8Array) => [...bytes].map((_, index) => bytes.subarray(index, index + 1))],
  ] as const

  describe.each(ways)('%s', (_way, split) => {
    for (const vector of read('frames.json') as readonly FrameVector[]) {
      test(`${vector.framing}: ${titleOf(vector)}`, () => {
        const decoder = framingOf(vector).decoder(vector.limit)
        const frames: unknown[] = []
        const code = codeOf(() => {
          for (const chunk of split(fromHex(vector.bytes))) {
            decoder.push(chunk)
            collect(decoder, frames)
          }
        })
        expect(frames).toStrictEqual(vector.frames)
        expect(code).toBe(vector.error)
        // After an error there is no end.
        const end = vector.end === undefined ? 'none' : (codeOf(() => decoder.end()) ?? true)
        expect(end).toBe(vector.end ?? 'none')
      })
    }
  })
})

describe('invalid bodies', () => {
  for (const vector of read('invalid.json') as readonly InvalidBody[]) {
    const { codec, contentType, body } = vector
    test(`${codec}: ${titleOf(vector)}`, () => {
      expect(() => codecOf(codec, contentType).decode(fromHex(body))).toThrow(CodecError)
    })
  }
})

describe('a server of this package', () => {
  const server = createServer()

  beforeAll(async () => {
    createConformanceRouter().attach(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })

  afterAll(() => new Promise((resolve) => server.close(resolve)))

  const cases = readCases()

  // Heartbeats take half a minute: the interop tests run these.
  const quick = cases.filter(({ slow }) => slow !== true).map((one) => [titleOf(one), one] as const)

  test.each(quick)('%s', async (_title, one) => {
    await expect(runCase(targetOf(server), one)).resolves.toBeUndefined()
  })

  const links = readLinkCases().map((one) => [titleOf(one), one] as const)

  test.each(links)('link: %s', async (_title, one) => {
    await expect(runLinkCase(targetOf(server), one)).resolves.toBeUndefined()
  })

  test('a connection that got GOAWAY closes with its last channel, though its client says nothing more', async () => {
    const one = cases.find(({ name }) => name === 'draining, after which the channel works')
    const closed = once(server, 'session').then(async ([session]) => once(session as ServerHttp2Session, 'close'))
    await expect(runCase(targetOf(server), one as Case)).resolves.toBeUndefined()
    // Node reads no more from such a connection. Its end was noticed by the silence of 35 s.
    await closed
  })

  test('every case has a name of its own', () => {
    const names = [...cases, ...readLinkCases()].map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })
})

function targetOf(server: Http2Server): Target {
  const { port } = server.address() as AddressInfo
  return { url: new URL(`http://127.0.0.1:${port}`), level: 'full' }
}

function framingOf({ framing, size = 0 }: FrameVector): Framing {
  switch (framing) {
    case 'length-prefixed':
      return lengthPrefixed()
    case 'newline-delimited':
      return newlineDelimited()
    case 'fixed-length':
      return fixedLength(size)
  }
}

function collect(decoder: FrameDecoder, frames: unknown[]): void {
  while (decoder.next()) {
    const body = decoder.bytes.subarray(decoder.offset, decoder.offset + decoder.length)
    const hex = Buffer.from(body).toString('hex')
    frames.push(decoder.control ? { control: hex } : { message: hex })
  }
}

function codeOf(run: () => void): string | undefined {
  try {
    run()
  } catch (error) {
    if (error instanceof ChannelError) return error.code
    throw error
  }
  return undefined
}

function fromHex(spaced: string): Uint8Array {
  return new Uint8Array(Buffer.from(spaced.replaceAll(' ', ''), 'hex'))
}
