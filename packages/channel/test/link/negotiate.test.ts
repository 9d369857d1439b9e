import { describe, expect, test } from 'vitest'

import { linkValue, parseLinkRequest, parseNewLink, parseResumed } from '../../src/link/negotiate.ts'

const id = 'wyhXk3r0vI2mLz1QF8sBdPq7'

describe('the header of a request (LINK-1)', () => {
  test.each([
    ['new; window=1048576', { asks: 'new', window: 1_048_576 }],
    ['new;window=1', { asks: 'new', window: 1 }],
    ['new; later=x; window=7; more=1', { asks: 'new', window: 7 }],
    [`${id}; received=0`, { asks: 'again', id, received: 0 }],
    [`${id}; received=999999999999999`, { asks: 'again', id, received: 999_999_999_999_999 }],
  ])('%j is read', (value, expected) => {
    expect(parseLinkRequest(value)).toEqual(expected)
  })

  test.each([
    undefined,
    '',
    'new',
    'new; window=0',
    'new; window=-1',
    'new; window=1.5',
    'new; window=1; window=2',
    'new; window',
    'new, new; window=1',
    id,
    `${id}; received=1000000000000000`,
    `${id.slice(0, 21)}; received=1`,
    `${id}+; received=1`,
    `${'a'.repeat(600)}; received=1`,
    ['new; window=1', 'new; window=1'],
  ])('%j is malformed', (value) => {
    expect(parseLinkRequest(value)).toBeUndefined()
  })
})

test('the header of a response to a new link has id, window and timeout', () => {
  expect(parseNewLink(`${id}; window=5; timeout=6`)).toEqual({ id, window: 5, timeout: 6 })
  for (const bad of [undefined, id, `${id}; window=5`, `${id}; window=0; timeout=6`, 'new; window=5; timeout=6']) {
    expect(parseNewLink(bad)).toBeUndefined()
  }
})

test('the header of a response to a link again has the same id', () => {
  expect(parseResumed(`${id}; received=5`, id)).toBe(5)
  expect(parseResumed(`${id}x; received=5`, id)).toBeUndefined()
  expect(parseResumed(id, id)).toBeUndefined()
})

test('what is written is read', () => {
  expect(linkValue('new', { window: 5 })).toBe('new; window=5')
  expect(parseLinkRequest(linkValue(id, { received: 5 }))).toEqual({ asks: 'again', id, received: 5 })
})
