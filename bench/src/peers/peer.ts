import type { Certificate } from '@h2channel/conn/testing'

import type { Message, Trade } from '../message.ts'

/** A way for two processes to exchange messages, written as its documentation recommends. */
export interface Peer {
  /** Listens on a free port of 127.0.0.1, over TLS with a certificate. */
  serve(certificate?: Certificate): Promise<number>
  /** Uses TLS if there is an authority for the server's certificate. */
  connect(port: number, ca?: string): Promise<Session>
  /** At the server: encodes the message once, and sends it to every receiver. */
  publish?(message: Message): void
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
  /** Asks once, as the peer's documentation recommends for one question and one answer. */
  call?(message: Message): Promise<Message>
  /** Opens a channel as `echo` does, sends one message, waits for it, and ends the channel. */
  exchange?(message: Message): Promise<Message>
  /** Opens a channel that receives what the server publishes. Channels of one group may share a connection. */
  subscribe?(group: number, take: (message: Message) => void): Promise<void>
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

/** A codec alone, in one process. */
export interface Codecs {
  /** Writes `count` messages of the pool, in turn. Returns the number of bytes. */
  encode(pool: readonly Message[], count: number): number
  /** Reads messages that lie in one chunk, one behind the other. Returns the sum of their ids. */
  decode(chunk: Buffer, lengths: readonly number[]): number
}

/** Returns the value that is there already for a key, or makes one. */
export function shared<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const there = map.get(key)
  if (there !== undefined) return there
  const made = make()
  map.set(key, made)
  return made
}

/** Returns an answer that must exist. */
export function given<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error('the server ended without an answer')
  return value
}
