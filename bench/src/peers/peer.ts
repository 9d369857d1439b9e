import type { Message, Trade } from '../message.ts'

/** A way for two processes to exchange messages, written as its documentation recommends. */
export interface Peer {
  /** Listens on a free port of 127.0.0.1. */
  serve(): Promise<number>
  connect(port: number): Promise<Session>
}

/** The client's side, with the calls that the peer supports. Each call describes what the server does. */
export interface Session {
  /** Sends all on their own channel. The server adds them up. Returns its answer at the end. */
  collect?(messages: Iterable<Message>): Promise<Message>
  /** Like `collect`, with bytes. */
  collectBytes?(pieces: Iterable<Uint8Array>): Promise<Message>
  /** Like `collect`, with records. */
  collectTrades?(trades: Iterable<Trade>): Promise<Message>
  /** Opens a channel on which the server sends everything back. */
  echo?(): Promise<Echo>
}

export interface Echo {
  /** Sends all, as fast as the peer accepts them. */
  send(messages: Iterable<Message>): Promise<void>
  /** Receives the returned messages, until all have arrived after `end`. */
  receive(take: (message: Message) => void): Promise<void>
  /** Sends one and waits for it. Not while `receive` is pending. */
  ask(message: Message): Promise<Message>
  /** Ends the client's half. */
  end(): Promise<void>
}

/** Work in one process, for comparison. */
export interface Alone {
  /** Encodes the messages that will only be decoded. */
  prepare?(pool: readonly Message[]): void
  /** Handles `count` messages of the pool, in turn. Returns how many arrived, with their sum. */
  run(pool: readonly Message[], count: number): Message
}

/** Returns an answer that must exist. */
export function given<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error('the server ended without an answer')
  return value
}
