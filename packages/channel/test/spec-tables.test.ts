/** The tables of SPEC.md, and what this package does. */
import { ByteWriter } from '@h2channel/codecs'
import { ConnError } from '@h2channel/conn'
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

import { openError } from '../src/client/open-errors.ts'
import { ChannelError, errorRules } from '../src/errors.ts'
import type { Control } from '../src/framing/control-frames.ts'
import { decodeControl, encodeControl } from '../src/framing/control-frames.ts'
import { maxControlBytes } from '../src/framing/framing.ts'
import { lengthPrefixed } from '../src/index.ts'

function fileAt(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8')
}

const spec = fileAt('../../../SPEC.md')

/** The rows of the table whose header has these words, each with its cells. */
function tableOf(...header: string[]): string[][] {
  const lines = spec.split('\n')
  const begin = lines.findIndex((line) => line.startsWith('|') && header.every((word) => line.includes(word)))
  expect(begin).not.toBe(-1)
  const rest = lines.slice(begin + 2)
  const end = rest.findIndex((line) => !line.startsWith('|'))
  return rest.slice(0, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

test('the table of errors is that of SPEC.md: names, codes of resets, and which of those with one code is first (ERR-1, ERR-2)', () => {
  const rows = tableOf('RST_STREAM', 'meaning').map(([name = '', reset = '']): [string, number] => [
    name.replaceAll('`', ''),
    Number(/0x[\da-f]+|(?<=\()\d+(?=\))/.exec(reset)?.[0]),
  ])
  const last = rows.pop()
  expect(last).toEqual(['any other', 8])
  const own = Object.entries(errorRules).flatMap(([name, { rstCode, atPeer }]): [string, number][] => {
    expect([name, rstCode === undefined]).toEqual([name, atPeer === undefined])
    return rstCode === undefined ? [] : [[name, rstCode]]
  })
  const inOrder = (pairs: readonly [string, number][]): [string, number][] =>
    pairs.toSorted(([one], [other]) => (one < other ? -1 : 1))
  expect(inOrder(own)).toEqual(inOrder(rows))
  const firsts = (pairs: readonly [string, number][]): Map<number, string> =>
    new Map(pairs.toReversed().map(([name, code]) => [code, name]))
  for (const [code, name] of firsts(rows)) expect(firsts(own).get(code)).toBe(name)
})

test('the table of control types is that of SPEC.md (CTRL-2)', () => {
  const controls: readonly Control[] = [
    { type: 'close', code: 'INTERNAL', reason: '' },
    { type: 'stop' },
    { type: 'ping', opaque: Uint8Array.of(7) },
    { type: 'pong', opaque: Uint8Array.of(7) },
    { type: 'draining' },
  ]
  const written = controls.map((control) => {
    const out = new ByteWriter()
    encodeControl(control, lengthPrefixed(), out)
    return [out.written()[4], control.type]
  })
  expect(written).toEqual(tableOf('type', 'name', 'rest of the body').map(([type, name]) => [Number(type), name]))
  const types = new Set(written.map(([type]) => type))
  for (let type = 0; type < 256; type++) expect(decodeControl(Uint8Array.of(type)) !== null).toBe(types.has(type))
  expect(spec).toContain(`has 1 to ${maxControlBytes.toLocaleString('en')} bytes`)
})

test('the statuses of refusals are those of SPEC.md (ANS-6)', () => {
  const sources = ['limits', 'request', 'server'].flatMap((folder) =>
    readdirSync(new URL(`../src/${folder}/`, import.meta.url)).map((name) => fileAt(`../src/${folder}/${name}`)),
  )
  const sent = sources.flatMap((text) => [...text.matchAll(/\bstatus: (\d{3})\b/g)].map((found) => Number(found[1])))
  const rows = tableOf('status', 'client may retry').flatMap(([status = '']) => status.match(/\d{3}/g) ?? [])
  // 204 answers a preflight.
  expect(new Set([...sent, 204])).toEqual(new Set([...rows.map(Number), 204]))
})

test('a client retries after the refusals after which SPEC.md allows it (ANS-6, ANS-7)', () => {
  const { signal } = new AbortController()
  const retryable = (status: number): boolean => {
    const refused = new ConnError('UNEXPECTED_STATUS', `status ${status}`, {
      response: { status, headers: {}, body: new Uint8Array() },
    })
    const error = openError(refused, '/b', signal)
    if (!(error instanceof ChannelError)) throw new Error(`no ChannelError for ${status}`, { cause: error })
    return error.retryable
  }
  const rows = tableOf('status', 'client may retry')
  const allowed = rows.filter(([, , retry = '']) => retry.startsWith('yes')).flatMap(([status]) => Number(status))
  const statuses = Array.from({ length: 200 }, (_, index) => 400 + index)
  expect(allowed).not.toEqual([])
  expect(statuses.filter(retryable)).toEqual(allowed)
})
