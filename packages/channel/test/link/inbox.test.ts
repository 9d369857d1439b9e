import { expect, test } from 'vitest'

import { Inbox } from '../../src/link/inbox.ts'
import { concat } from '../support/support.ts'

const protocolError = expect.objectContaining({ name: 'ConnError', code: 'PROTOCOL_ERROR' })

function fill(inbox: Inbox, chunk: Uint8Array): void {
  inbox.receive(chunk.length)
  inbox.hold(chunk)
}

function drain(inbox: Inbox): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let chunk = inbox.take(); chunk !== undefined; chunk = inbox.take()) chunks.push(chunk)
  return chunks
}

test('hands out what it holds in order, and counts it as consumed only then', () => {
  const inbox = new Inbox(10_000)
  const big = new Uint8Array(2_000).fill(7)
  fill(inbox, Uint8Array.of(1, 2))
  fill(inbox, big)
  fill(inbox, Uint8Array.of(3))
  expect([inbox.received, inbox.consumed, inbox.held]).toEqual([2_003, 0, 2_003])
  expect(concat(drain(inbox))).toEqual(concat([Uint8Array.of(1, 2), big, Uint8Array.of(3)]))
  expect([inbox.received, inbox.consumed, inbox.held, inbox.isEmpty]).toEqual([2_003, 2_003, 0, true])
})

test('gathers small chunks: a peer that sends single bytes makes no object of each', () => {
  const inbox = new Inbox(1_000_000)
  for (let count = 0; count < 100_000; count++) fill(inbox, Uint8Array.of(count))
  const chunks = drain(inbox)
  expect(chunks.length).toBeLessThan(30)
  expect(concat(chunks)).toEqual(Uint8Array.from({ length: 100_000 }, (_, index) => index))
})

test('does not write behind a chunk that was handed out', () => {
  const inbox = new Inbox(100)
  fill(inbox, Uint8Array.of(1))
  const [first] = drain(inbox)
  fill(inbox, Uint8Array.of(2))
  expect(first).toEqual(Uint8Array.of(1))
  expect(drain(inbox)).toEqual([Uint8Array.of(2)])
})

test('refuses more than its window (LINK-7)', () => {
  const inbox = new Inbox(4)
  fill(inbox, new Uint8Array(4))
  expect(() => inbox.receive(1)).toThrow(protocolError)
  const taken = new Inbox(4)
  fill(taken, new Uint8Array(4))
  drain(taken)
  fill(taken, new Uint8Array(4))
})

test('refuses what follows the end (LINK-7)', () => {
  const inbox = new Inbox(4)
  inbox.receiveEnd()
  expect(() => inbox.receive(1)).toThrow(protocolError)
})

test('owes an acknowledgement once half of the window was consumed (LINK-8)', () => {
  const inbox = new Inbox(8)
  fill(inbox, new Uint8Array(3))
  drain(inbox)
  expect(inbox.owesAck).toBe(false)
  fill(inbox, new Uint8Array(1))
  drain(inbox)
  expect(inbox.owesAck).toBe(true)
})

test('what is discarded counts as consumed', () => {
  const inbox = new Inbox(8)
  fill(inbox, new Uint8Array(3))
  inbox.discard()
  expect([inbox.consumed, inbox.held, inbox.isEmpty]).toEqual([3, 0, true])
})
