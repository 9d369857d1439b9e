/** The jobs of a client, and its results. */

export type Job =
  /** One way: `count` messages with a text of `size` characters, pieces of `size` bytes, or trades. */
  | {
      readonly do: 'collect'
      readonly what: 'messages' | 'bytes' | 'trades'
      readonly size: number
      readonly count: number
    }
  /** There and back, as many at once as the peer accepts. */
  | { readonly do: 'echo'; readonly count: number }
  /** There and back, one at a time. */
  | { readonly do: 'ping'; readonly count: number }
  /** One message there and one back, each by a call or on a channel of its own, some of them at once. */
  | { readonly do: 'ask'; readonly how: 'call' | 'exchange'; readonly count: number; readonly atOnce: number }
  /** There and back on many channels at once, until there were `least` messages for each of them. */
  | { readonly do: 'fan'; readonly channels: number; readonly milliseconds: number; readonly least: number }
  /** From the server to many receivers, with so many connections: 0 means one for each. */
  | {
      readonly do: 'broadcast'
      readonly receivers: number
      readonly connections: number
      readonly milliseconds: number
      readonly least: number
    }
  /** Opens channels and leaves them open. */
  | { readonly do: 'hold'; readonly channels: number }
  | { readonly do: 'alone'; readonly count: number }
  | { readonly do: 'codec'; readonly way: 'encode' | 'decode'; readonly count: number }

export interface Result {
  /** How long it took. */
  readonly milliseconds: number
  /** The figures, in the order of the case's metrics; for `collect` and `echo`, messages a second. */
  readonly figures: readonly number[]
  /** The CPU time that both processes used meanwhile, from the beginning of the job. Unit: microseconds. */
  readonly cpu?: number
}
