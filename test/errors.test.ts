import type { ChannelError } from '@h2channel/channel'
import { channelErrorCodes, defineRoute } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import { codecErrorCodes, json } from '@h2channel/codecs'
import { accept, connErrorCodes } from '@h2channel/conn'
import { listen } from '@h2channel/conn/testing'
import { createServer } from 'node:http2'
import { expect, test } from 'vitest'

import { read } from './documents.ts'

const page = 'docs/reference/errors.md'
const sections = read(page).split(/^## /m)

function section(heading: string): string {
  return sections.find((one) => one.startsWith(`${heading}\n`)) ?? ''
}

/** The entries of a section by their headings. */
function entries(heading: string): Map<string, string> {
  const [, ...found] = section(heading).split(/^### /m)
  return new Map(found.map((entry) => [entry.split('\n', 1)[0] ?? '', entry]))
}

const sorted = (codes: readonly string[]): string[] => codes.toSorted((one, other) => (one < other ? -1 : 1))

/** The anchor of a code is the code in lower case. Where two classes share one, the other class precedes it. */
function headingsOf(name: string, codes: readonly string[]): string[] {
  const own = new Set<string>(name === 'ChannelError' ? [] : channelErrorCodes)
  if (name === 'ConnError') for (const code of codecErrorCodes) own.add(code)
  return sorted(codes).map((code) => (own.has(code) ? `${name} \`${code}\`` : `\`${code}\``))
}

test.each([
  ['ChannelError', channelErrorCodes],
  ['CodecError', codecErrorCodes],
  ['ConnError', connErrorCodes],
])(`${page}: has a heading for each code of %s, in order, and no other`, (name, codes) => {
  expect([...entries(name).keys()]).toEqual(headingsOf(name, codes))
})

test(`${page}: the overview has a row for each code of ChannelError, in order, with a link to its entry`, () => {
  const rows = [...section('Overview').matchAll(/^\| \[`(\w+)`\]\(#(\w+)\)/gm)].map(([, code, anchor]) => ({
    code,
    anchor,
  }))
  const distinct = rows.filter(({ code }, index) => code !== rows[index - 1]?.code)
  expect(distinct).toEqual(sorted(channelErrorCodes).map((code) => ({ code, anchor: code.toLowerCase() })))
})

test.each(channelErrorCodes)(`${page}: the entry of %s says what is lost, what to do, and shows a message`, (code) => {
  const entry = entries('ChannelError').get(`\`${code}\``) ?? ''
  for (const label of ['Lost', 'Do', 'Message']) expect(entry).toMatch(new RegExp(`^- \\*\\*${label}\\.\\*\\* `, 'm'))
})

interface ResetRow {
  readonly name: string
  readonly rstCode: number
  readonly before: string
  readonly open: string
  readonly side: string | undefined
}

/** The rows of the table of resets. A conn never aborts with NO_ERROR, so its row is left out. */
function resetRows(): ResetRow[] {
  const [, table = ''] = section('From the wire to a code').split('### By code of RST_STREAM\n')
  const [own = ''] = table.split(/^### /m)
  return [...own.matchAll(/^\| (`\w+` \((\d+)\)|(0x\w+)[^|]*) *\|([^|]*)\|([^|]*)\|/gm)].flatMap((found) => {
    const [, name = '', decimal, hexadecimal, before = '', open = ''] = found
    const [side] = /(?<=, `)\w+(?=`)/.exec(open) ?? []
    const rstCode = Number(decimal ?? hexadecimal)
    const code = (cell: string): string => /\w+(?=`)/.exec(cell)?.[0] ?? ''
    return rstCode === 0 ? [] : [{ name: name.trim(), rstCode, before: before.trim(), open: code(open), side }]
  })
}

test(`${page}: the table of resets says what a client gets`, async () => {
  const rows = resetRows()
  expect(rows.length).toBeGreaterThan(9)
  const server = createServer()
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    const rstCode = Number(headers['x-reset'])
    if (headers['x-when'] === 'before') return stream.close(rstCode)
    const serve = async (): Promise<void> => {
      const conn = await accept(stream, headers, { headers: { 'content-type': 'application/vnd.h2channel+json' } })
      await conn.read()
      conn.abort(Object.assign(new Error('reset'), { rstCode }))
    }
    serve().catch(() => stream.destroy())
  })
  const at = await listen(server, undefined)
  const client = createClient(at.origin, { retry: { maxAttempts: 1 } })
  const route = defineRoute('/reset', { client: json<number>(), server: json<number>() })
  const errorOf = async (when: string, rstCode: number): Promise<ChannelError | undefined> => {
    try {
      const channel = await client.open(route, { headers: { 'x-when': when, 'x-reset': rstCode } })
      await channel.send(1)
      await channel.receive()
      return undefined
    } catch (error) {
      return error as ChannelError
    }
  }
  for (const row of rows) {
    const before = await errorOf('before', row.rstCode)
    const text = `\`${before?.code}\`${before?.retryable === true ? ', **retryable**' : ''}`
    expect([row.name, text]).toEqual([row.name, row.before])
    const open = await errorOf('open', row.rstCode)
    expect([row.name, open?.code, row.side === undefined ? undefined : open?.side]).toEqual([
      row.name,
      row.open,
      row.side,
    ])
  }
  await client.close()
  await at.close()
})

test(`${page}: the table of statuses says what a client gets`, async () => {
  const [, table = ''] = section('From the wire to a code').split('### By HTTP status\n')
  const [own = ''] = table.split(/^### /m)
  const rows = [...own.matchAll(/^\| ((?:\d{3}, )*\d{3}) *\| `(\w+)` *\|([^|]*)\|/gm)].flatMap(
    ([, statuses = '', code, retry = '']) =>
      statuses.split(', ').map((status) => ({ status, code, retryable: retry.includes('yes') })),
  )
  expect(rows.length).toBeGreaterThan(12)
  const server = createServer()
  server.on('stream', (stream, headers) => {
    stream.respond({ ':status': Number(headers['x-status']), 'content-type': 'text/plain' })
    stream.end('why\n')
  })
  const at = await listen(server, undefined)
  const client = createClient(at.origin, { retry: { maxAttempts: 1 } })
  const route = defineRoute('/status', { client: json<number>(), server: json<number>() })
  for (const { status, code, retryable } of rows) {
    const error: unknown = await client
      .open(route, { headers: { 'x-status': status } })
      .catch((thrown: unknown) => thrown)
    expect({ status, error }).toMatchObject({ status, error: { code, retryable } })
  }
  await client.close()
  await at.close()
})
