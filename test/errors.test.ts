import { channelErrorCodes } from '@h2channel/channel'
import { connErrorCodes } from '@h2channel/conn'
import { codecErrorCodes } from '@h2channel/codecs'
import { expect, test } from 'vitest'

import { headingsBelow } from './documents.ts'

test.each([
  ['ConnError', connErrorCodes],
  ['CodecError', codecErrorCodes],
  ['ChannelError', channelErrorCodes],
])('docs/reference/errors.md: has a heading for each code of %s, in order, and no other', (name, codes) => {
  expect(headingsBelow('docs/reference/errors.md', name)).toEqual(
    codes.toSorted((one, other) => (one < other ? -1 : 1)),
  )
})
