/** What the cases of the conformance suite are made of. */
import assert from 'node:assert/strict'

import type { Conn, ConnClosed } from '../core/conn.ts'
import type { ConnErrorCode } from '../errors.ts'
import { ConnError } from '../errors.ts'
import type { CloseTimeouts } from '../core/stream-conn.ts'

/** What a case is given. */
export interface Scope {
  readonly seed: number
  /** Whether the peer of an abort can tell it from a clean end. */
  readonly resets: boolean
  /** Makes two joined conns, which end with the case at the latest. */
  pair(timeouts?: CloseTimeouts): Promise<readonly [Conn, Conn]>
  /** Names what is waited for, in case that it never comes. A failure that nobody looks at is none. */
  wait<T>(what: string, promise: Promise<T>): Promise<T>
  /** Lets timers and sockets have their turn. Throws once the case is over, so that no loop outlives it. */
  turn(): Promise<void>
}

/** One case of the suite. Its name is unique in the suite. */
export type Case = readonly [name: string, run: (scope: Scope) => Promise<void>]

export const nothing: Uint8Array = new Uint8Array()
export const late: Uint8Array = bytesOf('too late')

/** Given up by a real deadline that has passed. */
export async function pastDeadline(scope: Scope): Promise<AbortSignal> {
  const signal = AbortSignal.timeout(1)
  while (!signal.aborted) await scope.turn()
  return signal
}

/** xorshift32, four bytes at a time: the same bytes for the same seed. */
export function randomBytes(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4))
  const next = randomNumbers(seed)
  for (let at = 0; at < words.length; at += 1) words[at] = next()
  return new Uint8Array(words.buffer, 0, length)
}

/** Whole numbers of 32 bits, never 0. */
export function randomNumbers(seed: number): () => number {
  // Neighbouring seeds would begin with neighbouring numbers.
  let state = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

export function repeated(piece: Uint8Array, times: number): Uint8Array {
  return concat(Array.from({ length: times }, () => piece))
}

export function assertSame(came: Uint8Array, sent: Uint8Array): void {
  assertAt(came, sent, 0)
  assert.equal(came.length, sent.length, `bytes were lost: ${came.length} came of ${sent.length}`)
}

/** Asserts that a chunk is what was sent from `at` on. */
function assertAt(chunk: Uint8Array, sent: Uint8Array, at: number): void {
  const end = Math.min(chunk.length, sent.length - at)
  for (let index = 0; index < end; index += 1) {
    if (chunk[index] === sent[at + index]) continue
    assert.fail(`byte ${at + index} of ${sent.length} came as ${chunk[index]}, not as ${sent[at + index]}`)
  }
  assert.ok(chunk.length === end, `more came than was sent: ${at + chunk.length} bytes, not ${sent.length}`)
}

/** Asserts that what comes, up to the peer's end, is `sent`. */
export async function expectToEnd(conn: Conn, sent: Uint8Array): Promise<void> {
  let at = 0
  for await (const chunk of conn) {
    assertAt(nonEmpty(chunk), sent, at)
    at += chunk.length
  }
  assert.equal(at, sent.length, `the end came after ${at} bytes, not ${sent.length}`)
}

/** Asserts that what comes next is `sent`, and that no chunk holds more than that. */
export async function expectNext(conn: Conn, sent: Uint8Array): Promise<void> {
  for (let at = 0; at < sent.length;) {
    const chunk = await conn.read()
    assert.ok(chunk !== null, `the end came after ${at} bytes, not ${sent.length}`)
    assertAt(nonEmpty(chunk), sent, at)
    at += chunk.length
  }
}

export function nonEmpty(chunk: Uint8Array): Uint8Array {
  assert.ok(chunk.length > 0, 'a read gave an empty chunk')
  return chunk
}

/** Writes `text` on one conn and reads it on the other. */
export async function carries(from: Conn, to: Conn, text: string): Promise<void> {
  const bytes = bytesOf(text)
  await Promise.all([from.write(bytes.slice()), expectNext(to, bytes)])
}

/** Sends something to a peer that echoes, and reads it back. */
export async function roundTrip(conn: Conn): Promise<void> {
  await carries(conn, conn, 'there and back')
}

/** Writes back what comes, until the peer ends its half. */
export async function echo(conn: Conn): Promise<void> {
  for await (const chunk of conn) await conn.write(chunk)
  await conn.close()
}

/** Writes all in pieces of random sizes, at most 64 KiB. */
export async function writeInPieces(conn: Conn, content: Uint8Array, seed: number): Promise<void> {
  const next = randomNumbers(seed)
  for (let at = 0; at < content.length;) {
    const end = at + 1 + (next() % 65_536)
    await conn.write(content.subarray(at, end))
    at = end
  }
}

/** What a conn may take from a writer whose peer doesn't read. */
const boundOfBuffers = 64 * 1024 * 1024

/** Writes pieces until no more is taken. Returns how many were. */
export async function fill(conn: Conn, piece: Uint8Array): Promise<number> {
  let taken = 0
  // One wait may be long because the machine is busy. Two in a row are long because there is no room.
  for (let refused = 0; refused < 2;) {
    try {
      await conn.write(piece, { signal: AbortSignal.timeout(20) })
      taken += 1
      refused = 0
    } catch (error) {
      assertCode(error, ['TIMEOUT'])
      refused += 1
    }
    assertHeldBack(taken * piece.length)
  }
  return taken
}

export function assertHeldBack(written: number): void {
  assert.ok(written < boundOfBuffers, `${written} bytes were taken while nobody read: nothing held the writer back`)
}

/** Writes until the conn breaks, which its peer has brought about. */
export async function writeUntilBroken(scope: Scope, conn: Conn): Promise<void> {
  const piece = new Uint8Array(64 * 1024)
  for (;;) {
    try {
      await conn.write(piece)
    } catch (error) {
      assertCode(error, broken)
      return
    }
    await scope.turn()
  }
}

/** What a peer sees of a conn that broke off. */
const broken: readonly ConnErrorCode[] = ['RESET', 'CONNECTION_LOST']

export function isBroken(error: ConnError): boolean {
  return broken.includes(error.code)
}

export function assertCode(error: unknown, codes: readonly ConnErrorCode[]): asserts error is ConnError {
  if (!(error instanceof ConnError)) {
    assert.fail(`expected a ConnError with ${codes.join(' or ')}, not ${String(error)}`)
  }
  assert.ok(codes.includes(error.code), `expected ${codes.join(' or ')}, not ${error.code}: ${error.message}`)
}

/** Waits for a failure of one of these codes. */
export async function fails(wait: Promise<unknown>, ...codes: readonly ConnErrorCode[]): Promise<ConnError> {
  const error: unknown = await wait.then(
    () => assert.fail(`expected ${codes.join(' or ')}, but it succeeded`),
    (reason: unknown) => reason,
  )
  assertCode(error, codes)
  return error
}

/** How a wait came out: a code, `BROKEN` for what a peer sees of an abort, or what was returned. */
type Outcome = Exclude<ConnErrorCode, 'RESET' | 'CONNECTION_LOST'> | 'BROKEN' | 'bytes' | 'end' | 'done'

type Expected = readonly [wait: Promise<unknown>, ...outcomes: readonly Outcome[]]

/** Waits for every one of these, and asserts how each came out. Those that failed are returned with their errors. */
export function endAs(
  scope: Scope,
  when: string,
  waits: Readonly<Record<string, Expected>>,
): Promise<readonly ConnError[]> {
  const ended = async ([name, [wait, ...outcomes]]: readonly [string, Expected]): Promise<ConnError | undefined> => {
    const what = `${name} ${when}`
    const [outcome, error] = await scope.wait(what, outcomeOf(what, wait))
    assert.ok(outcomes.includes(outcome), `${what} came out as ${outcome}, not as ${outcomes.join(' or ')}`)
    return error
  }
  const errors = Promise.all(Object.entries(waits).map(ended)).then((some) =>
    some.filter((error) => error !== undefined),
  )
  // Whatever else is asserted before these are awaited may fail first.
  errors.catch(() => {})
  return errors
}

/** Asserts that waits failed because of `reason`. */
export function assertCause(errors: readonly ConnError[], reason: unknown): void {
  for (const { code, cause } of errors) {
    assert.ok(cause === reason, `the cause of ${code} is ${String(cause)}, not the reason that was given`)
  }
}

/** Asserts that waits were given up because of `reason`, and that this ended nothing. */
export function assertGivenUp(errors: readonly ConnError[], reason: unknown): void {
  assertCause(errors, reason)
  for (const { code, fatal } of errors) assert.ok(!fatal, `${code} says that the conn is over`)
}

async function outcomeOf(what: string, wait: Promise<unknown>): Promise<readonly [Outcome, ConnError?]> {
  try {
    const value = await wait
    if (value === null) return ['end']
    return [value instanceof Uint8Array ? 'bytes' : 'done']
  } catch (error) {
    if (!(error instanceof ConnError)) assert.fail(`${what} failed with what is no ConnError: ${String(error)}`)
    const { code } = error
    return [code === 'RESET' || code === 'CONNECTION_LOST' ? 'BROKEN' : code, error]
  }
}

export async function bothClean(scope: Scope, left: Conn, right: Conn): Promise<void> {
  for (const conn of [left, right]) {
    const closed = await scope.wait('`closed` after both halves ended', conn.closed)
    assert.deepEqual(closed, { clean: true }, `a clean end is told as ${describe(closed)}`)
  }
}

export function describe(closed: ConnClosed): string {
  return closed.clean ? 'clean' : `${closed.error.code}: ${closed.error.message}`
}

/** Asserts that none of these is settled, now and after a turn. */
export async function stillOpen(scope: Scope, what: string, ...waits: readonly Promise<unknown>[]): Promise<void> {
  const pending = Symbol('pending')
  await scope.turn()
  for (const wait of waits) {
    const first = await Promise.race([wait, Promise.resolve(pending)])
    assert.ok(first === pending, `${what} settled too early`)
  }
}

/** Why the cases abort. */
export const reason: Error = new Error('broken off')

/** What a waiting read makes of the peer's abort. */
export function seenBy({ resets }: Scope): readonly ('BROKEN' | 'end')[] {
  return resets ? ['BROKEN'] : ['BROKEN', 'end']
}

interface Halves {
  /** This side had ended its half. */
  readonly ended?: boolean
  /** This side had read the peer's end. */
  readonly readEnd?: boolean
}

/** Asserts that a conn that was aborted says so to everybody. */
export async function isAborted(scope: Scope, conn: Conn, { ended = false }: Halves = {}): Promise<void> {
  const errors = await endAs(scope, 'after this side aborted', {
    'a read': [conn.read(), 'ABORTED'],
    'a write': [conn.write(late), 'ABORTED', ...(ended ? (['CLOSED'] as const) : [])],
    'closeWrite()': [conn.closeWrite(), ended ? 'done' : 'ABORTED'],
  })
  assertCause(
    errors.filter(({ code }) => code === 'ABORTED'),
    reason,
  )
  await endsAborted(scope, conn)
  await endAs(scope, 'of a conn that is over', { 'close()': [conn.close(), 'done'] })
}

export async function endsAborted(scope: Scope, conn: Conn): Promise<void> {
  const closed = await scope.wait('`closed` after abort()', conn.closed)
  assert.ok(!closed.clean && closed.error.code === 'ABORTED', `an abort is told as ${describe(closed)}`)
  assertCause([closed.error], reason)
}

/**
 * Asserts that the peer of a conn that was aborted learns of it, and by an error where the carrier has a reset. What had
 * arrived before may be read first.
 */
export async function seesAbort(
  scope: Scope,
  conn: Conn,
  { ended = false, readEnd = false }: Halves = {},
): Promise<void> {
  const last = scope.wait('reads after the peer aborted', readOn(conn))
  await endAs(scope, 'after the peer aborted', {
    'the last read': [last, ...(readEnd ? (['end', 'BROKEN'] as const) : seenBy(scope))],
  })
  if (scope.resets) {
    if (!ended) await scope.wait('a write after the peer aborted', writeUntilBroken(scope, conn))
  } else {
    await endAs(scope, 'after the peer aborted', { 'close()': [conn.close(), 'done', 'BROKEN'] })
  }
  const closed = await scope.wait('`closed` after the peer aborted', conn.closed)
  const fair = closed.clean ? !scope.resets : isBroken(closed.error)
  assert.ok(fair, `an abort of the peer is told as ${describe(closed)}`)
}

async function readOn(conn: Conn): Promise<null> {
  for (;;) if ((await conn.read()) === null) return null
}
