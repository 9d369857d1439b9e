/** What several tests of this package need. */
import { expect } from 'vitest'

import { ConnError } from '../../src/index.ts'
import type { Conn, ConnErrorCode } from '../../src/index.ts'

export function bytes(content: string): Uint8Array {
  return new TextEncoder().encode(content)
}

export function text(chunk: Uint8Array | null): string | null {
  return chunk === null ? null : new TextDecoder().decode(chunk)
}

/** Waits for a promise to reject with a ConnError of `code`, and returns that. */
export async function failure(promise: Promise<unknown>, code: ConnErrorCode): Promise<ConnError> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ConnError)
  if (!(error instanceof ConnError)) throw error
  expect(error.code).toBe(code)
  return error
}

/** Reads to the end. */
export async function readAll(conn: Conn): Promise<string> {
  const decoder = new TextDecoder()
  let all = ''
  for await (const chunk of conn) all += decoder.decode(chunk, { stream: true })
  return all
}

/** A promise with its two ends: for waiting on events. */
export interface Deferred<Value> {
  readonly promise: Promise<Value>
  resolve(value: Value | PromiseLike<Value>): void
}

export function deferred<Value = void>(): Deferred<Value> {
  let settle: (value: Value | PromiseLike<Value>) => void = () => {}
  const promise = new Promise<Value>((resolve) => {
    settle = resolve
  })
  return { promise, resolve: (value) => settle(value) }
}
