import type { ConnError } from '../errors.ts'

/**
 * The states of the half that reads:
 *
 *     open ──the peer ends──▶ ended
 *       │                       │
 *       ├──close()──▶ discarding ◀
 *       └──any error──▶ failed
 */
export type Reading =
  | { readonly at: 'open' | 'ended' }
  | { readonly at: 'discarding'; readonly ended: boolean }
  | { readonly at: 'failed'; readonly error: ConnError }

/**
 * The states of the half that writes:
 *
 *     open ──closeWrite()──▶ ending ──no write waits──▶ finishing ──all handed on──▶ ended
 *       └────────any error─────┴────────────────────────────┴──▶ failed
 */
export type Writing =
  { readonly at: 'open' | 'ending' | 'finishing' | 'ended' } | { readonly at: 'failed'; readonly error: ConnError }

/** A write that waits for room. */
export interface Write {
  readonly bytes: Uint8Array
  readonly released: (() => void) | undefined
  readonly handedOn: boolean | undefined
}
