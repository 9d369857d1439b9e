import type { Message, Trade } from '../message.ts'

/** A way for two processes to exchange messages, written as its own documentation advises. */
export interface Peer {
  /** Listens on a free port of 127.0.0.1. */
  serve(): Promise<number>
  connect(port: number): Promise<Session>
}

/** The client's side: whichever of the calls the peer can do. What the server does is said with each. */
export interface Session {
  /** Sends all on a channel of their own, which the server adds up. Returns what it answers at the end. */
  collect?(messages: Iterable<Message>): Promise<Message>
  /** The same with bytes. */
  collectBytes?(pieces: Iterable<Uint8Array>): Promise<Message>
  /** The same with records. */
  collectTrades?(trades: Iterable<Trade>): Promise<Message>
  /** Opens a channel on which the server sends everything back. */
  echo?(): Promise<Echo>
}

export interface Echo {
  /** Sends all, as fast as the peer takes them. */
  send(messages: Iterable<Message>): Promise<void>
  /** Receives what comes back, until all has after `end`. */
  receive(take: (message: Message) => void): Promise<void>
  /** Sends one and waits for it. Not while `receive` goes on. */
  ask(message: Message): Promise<Message>
  /** Nothing more is sent. */
  end(): Promise<void>
}

/** What can be done in one process, for comparison. */
export interface Alone {
  /** Writes what is only to be read. */
  prepare?(pool: readonly Message[]): void
  /** Handles `count` messages, in turn those of the pool. Returns how much arrived, with its sum. */
  run(pool: readonly Message[], count: number): Message
}

/** For an answer that must be there. */
export function given<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error('the server ended without an answer')
  return value
}
