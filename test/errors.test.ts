import { channelErrorCodes } from '@h2channel/channel'
import { connErrorCodes } from '@h2channel/conn'
import { codecErrorCodes } from '@h2channel/codecs'
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
