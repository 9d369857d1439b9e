/** Shared by the cases of the conformance suite. */
import assert from 'node:assert/strict'

import type { Conn, ConnClosed } from '../core/conn.ts'
import type { ConnErrorCode } from '../errors.ts'
import { ConnError } from '../errors.ts'
import type { CloseTimeouts } from '../limits.ts'

/** What a case may use. */
export interface Scope {
  readonly seed: number
  /** Whether the peer can tell an abort from a clean end. */
  readonly resets: boolean
  /** Makes two joined conns. They are aborted when the case ends. */
  pair(timeouts?: CloseTimeouts): Promise<readonly [Conn, Conn]>
  /**
   * Names a wait for the error message, should it never settle. Returns `promise`, and counts its failure as handled.
   */
  wait<T>(what: string, promise: Promise<T>): Promise<T>
  /** Waits for a turn of the event loop. Throws once the case has ended, so that no loop outlives it. */
  turn(): Promise<void>
}

/** One case of the suite. Its name is unique in the suite. */
export type Case = readonly [name: string, run: (scope: Scope) => Promise<void>]

export const nothing: Uint8Array = new Uint8Array()
export const late: Uint8Array = utf8('too late')

/** A signal whose deadline has passed. */
export async function passedDeadline(scope: Scope): Promise<AbortSignal> {
  const signal = AbortSignal.timeout(1)
  while (!signal.aborted) await scope.turn()
  return signal
}

/** Makes the bytes of a seed. */
export function randomBytes(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4))
  const next = randomNumbers(seed)
  for (let at = 0; at < words.length; at += 1) words[at] = next()
  return new Uint8Array(words.buffer, 0, length)
}

/** Makes the numbers of a seed by xorshift32: integers of 32 bits, never 0. */
export function randomNumbers(seed: number): () => number {
  // Without mixing, similar seeds would begin with similar numbers.
  let state = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

export function utf8(text: string): Uint8Array {
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

/** Asserts that `chunk` equals the part of `sent` that begins at `at`. */
function assertAt(chunk: Uint8Array, sent: Uint8Array, at: number): void {
  const end = Math.min(chunk.length, sent.length - at)
  for (let index = 0; index < end; index += 1) {
    if (chunk[index] === sent[at + index]) continue
    assert.fail(`byte ${at + index} of ${sent.length} came as ${chunk[index]}, not as ${sent[at + index]}`)
  }
  assert.ok(chunk.length === end, `more came than was sent: ${at + chunk.length} bytes, not ${sent.length}`)
}

/** Reads to the end, and asserts that exactly `sent` came. */
export async function expectToEnd(conn: Conn, sent: Uint8Array): Promise<void> {
  let at = 0
  for await (const chunk of conn) {
    assertAt(nonEmpty(chunk), sent, at)
    at += chunk.length
  }
  assert.equal(at, sent.length, `the end came after ${at} bytes, not ${sent.length}`)
}

/** Reads until `sent` has come, and asserts that no chunk holds more. */
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
export async function carry(from: Conn, to: Conn, text: string): Promise<void> {
  const bytes = utf8(text)
  await Promise.all([from.write(bytes.slice()), expectNext(to, bytes)])
}

/** Sends a text to a peer that echoes, and reads it back. */
export async function roundTrip(conn: Conn): Promise<void> {
  await carry(conn, conn, 'there and back')
}

/** Writes back each chunk until the peer ends its half. */
export async function echo(conn: Conn): Promise<void> {
  for await (const chunk of conn) await conn.write(chunk)
  await conn.close()
}

/** Writes `content` in pieces of random sizes, at most 64 KiB each. */
export async function writeInPieces(conn: Conn, content: Uint8Array, seed: number): Promise<void> {
  const next = randomNumbers(seed)
  for (let at = 0; at < content.length;) {
    const end = at + 1 + (next() % 65_536)
    await conn.write(content.subarray(at, end))
    at = end
  }
}

/** How much a conn may accept while its peer reads nothing. Unit: bytes. */
const maxBuffered = 64 * 1024 * 1024

/** Writes pieces until the conn has no room. Returns how many it accepted. */
export async function fill(conn: Conn, piece: Uint8Array): Promise<number> {
  let accepted = 0
  // A busy machine may cause one long wait. Two in a row mean that there is no room.
  for (let refused = 0; refused < 2;) {
    try {
      await conn.write(piece, { signal: AbortSignal.timeout(20) })
      accepted += 1
      refused = 0
    } catch (error) {
      assertCode(error, ['TIMEOUT'])
      refused += 1
    }
    assertHeldBack(accepted * piece.length)
  }
  return accepted
}

export function assertHeldBack(written: number): void {
  assert.ok(
    written < maxBuffered,
    `${written} bytes were accepted while the peer read nothing: nothing held the writer back`,
  )
}

/** Writes until the conn fails because its peer broke it off. */
export async function writeUntilBroken(scope: Scope, conn: Conn): Promise<void> {
  const piece = new Uint8Array(64 * 1024)
  for (;;) {
    try {
      await conn.write(piece)
    } catch (error) {
      assertCode(error, brokenCodes)
      return
    }
    await scope.turn()
  }
}

/** The errors of a conn that its peer broke off. */
const brokenCodes: readonly ConnErrorCode[] = ['RESET', 'CONNECTION_LOST']

export function isBroken(error: ConnError): boolean {
  return brokenCodes.includes(error.code)
}

export function assertCode(error: unknown, codes: readonly ConnErrorCode[]): asserts error is ConnError {
  if (!(error instanceof ConnError)) {
    assert.fail(`expected a ConnError with ${codes.join(' or ')}, not ${String(error)}`)
  }
  assert.ok(codes.includes(error.code), `expected ${codes.join(' or ')}, not ${error.code}: ${error.message}`)
}

/** Waits until `wait` fails with one of `codes`. */
export async function expectFailure(wait: Promise<unknown>, ...codes: readonly ConnErrorCode[]): Promise<ConnError> {
  const error: unknown = await wait.then(
    () => assert.fail(`expected ${codes.join(' or ')}, but it succeeded`),
    (reason: unknown) => reason,
  )
  assertCode(error, codes)
  return error
}

/** How a wait came out: a code, `BROKEN` for the codes by which a peer sees an abort, or the kind of its result. */
type Outcome = Exclude<ConnErrorCode, 'RESET' | 'CONNECTION_LOST'> | 'BROKEN' | 'bytes' | 'end' | 'done'

type Expected = readonly [wait: Promise<unknown>, ...outcomes: readonly Outcome[]]

/** Waits for all `waits`, and asserts how each came out. Returns the errors of the failed ones. */
export function expectOutcomes(
  scope: Scope,
  when: string,
  waits: Readonly<Record<string, Expected>>,
): Promise<readonly ConnError[]> {
  const ended = async ([name, [wait, ...outcomes]]: readonly [string, Expected]): Promise<ConnError | undefined> => {
    const what = `${name} ${when}`
    const [outcome, error] = await scope.wait(what, settle(what, wait))
    assert.ok(outcomes.includes(outcome), `${what} came out as ${outcome}, not as ${outcomes.join(' or ')}`)
    return error
  }
  const errors = Promise.all(Object.entries(waits).map(ended)).then((some) =>
    some.filter((error) => error !== undefined),
  )
  // Another assertion may fail before the case awaits these.
  errors.catch(() => {})
  return errors
}

/** Asserts that `reason` is the cause of all `errors`. */
export function assertCause(errors: readonly ConnError[], reason: unknown): void {
  for (const { code, cause } of errors) {
    assert.ok(cause === reason, `the cause of ${code} is ${String(cause)}, not the reason that was given`)
  }
}

/** Asserts that the signal's `reason` ended the waits, and not the conn. */
export function assertCancelled(errors: readonly ConnError[], reason: unknown): void {
  assertCause(errors, reason)
  for (const { code, fatal } of errors) assert.ok(!fatal, `${code} says that the conn has ended`)
}

async function settle(what: string, wait: Promise<unknown>): Promise<readonly [Outcome, ConnError?]> {
  try {
    const value = await wait
    if (value === null) return ['end']
    return [value instanceof Uint8Array ? 'bytes' : 'done']
  } catch (error) {
    if (!(error instanceof ConnError))
      assert.fail(`${what} failed with an error that is no ConnError: ${String(error)}`)
    const { code } = error
    return [code === 'RESET' || code === 'CONNECTION_LOST' ? 'BROKEN' : code, error]
  }
}

export async function expectClean(scope: Scope, left: Conn, right: Conn): Promise<void> {
  for (const conn of [left, right]) {
    const closed = await scope.wait('`closed` after both halves ended', conn.closed)
    assert.deepEqual(closed, { clean: true }, `a clean end shows as ${describe(closed)}`)
  }
}

export function describe(closed: ConnClosed): string {
  return closed.clean ? 'clean' : `${closed.error.code}: ${closed.error.message}`
}

/** Asserts that all `waits` are still pending after a turn. */
export async function expectPending(scope: Scope, what: string, ...waits: readonly Promise<unknown>[]): Promise<void> {
  const pending = Symbol('pending')
  await scope.turn()
  for (const wait of waits) {
    const first = await Promise.race([wait, Promise.resolve(pending)])
    assert.ok(first === pending, `${what} settled too early`)
  }
}

/** Why the cases abort. */
export const reason: Error = new Error('broken off')

/** How a waiting read may come out when the peer aborts. */
export function readsOfAbort({ resets }: Scope): readonly ('BROKEN' | 'end')[] {
  return resets ? ['BROKEN'] : ['BROKEN', 'end']
}

interface Halves {
  /** This side had ended its half. */
  readonly ended?: boolean
  /** This side had read the peer's end. */
  readonly readEnd?: boolean
}

/** Asserts that every method of an aborted conn reports the abort. */
export async function expectAborted(scope: Scope, conn: Conn, { ended = false }: Halves = {}): Promise<void> {
  const errors = await expectOutcomes(scope, 'after this side aborted', {
    'a read': [conn.read(), 'ABORTED'],
    'a write': [conn.write(late), 'ABORTED', ...(ended ? (['CLOSED'] as const) : [])],
    'closeWrite()': [conn.closeWrite(), ended ? 'done' : 'ABORTED'],
  })
  assertCause(
    errors.filter(({ code }) => code === 'ABORTED'),
    reason,
  )
  await expectAbortedClose(scope, conn)
  await expectOutcomes(scope, 'of an ended conn', { 'close()': [conn.close(), 'done'] })
}

export async function expectAbortedClose(scope: Scope, conn: Conn): Promise<void> {
  const closed = await scope.wait('`closed` after abort()', conn.closed)
  assert.ok(!closed.clean && closed.error.code === 'ABORTED', `an abort shows as ${describe(closed)}`)
  assertCause([closed.error], reason)
}

/**
 * Asserts that `conn` sees the abort of its peer: as an error where the carrier has resets. Bytes that arrived before
 * it may be read first.
 */
export async function expectPeerAborted(
  scope: Scope,
  conn: Conn,
  { ended = false, readEnd = false }: Halves = {},
): Promise<void> {
  const last = scope.wait('reads after the peer aborted', readToEnd(conn))
  await expectOutcomes(scope, 'after the peer aborted', {
    'the last read': [last, ...(readEnd ? (['end', 'BROKEN'] as const) : readsOfAbort(scope))],
  })
  if (scope.resets) {
    if (!ended) await scope.wait('a write after the peer aborted', writeUntilBroken(scope, conn))
  } else {
    await expectOutcomes(scope, 'after the peer aborted', { 'close()': [conn.close(), 'done', 'BROKEN'] })
  }
  const closed = await scope.wait('`closed` after the peer aborted', conn.closed)
  const isExpected = closed.clean ? !scope.resets : isBroken(closed.error)
  assert.ok(isExpected, `an abort of the peer shows as ${describe(closed)}`)
}

async function readToEnd(conn: Conn): Promise<null> {
  for (;;) if ((await conn.read()) === null) return null
}
