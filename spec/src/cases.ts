/** The vectors of a server: requests and their answers, and whole conversations. `vectors/README.md` has the format. */
import { readFileSync } from 'node:fs'

/** How much of SPEC.md a peer implements (CONF-1, CONF-2). */
export type Level = 'minimal' | 'full'

/** One conversation with a server, or one request with its answer. */
export interface Case {
  readonly name: string
  /** The rules of SPEC.md that it shows. */
  readonly rules: readonly string[]
  readonly level: Level
  /** Whether it waits for times of SPEC.md, up to half a minute. */
  readonly slow?: boolean
  readonly request: RequestLine
  readonly answer?: Answer
  readonly steps?: readonly Step[]
}

/** Headers of a request. A `null` removes a default. */
export interface RequestLine {
  readonly [name: string]: string | boolean | null | undefined
  /** Whether END_STREAM is on the HEADERS frame. */
  readonly end?: boolean
}

/** Default: status 200. */
export interface Answer {
  readonly status?: number
  /** Values of headers, in whole. A `null` stands for a header that must be absent. */
  readonly headers?: Readonly<Record<string, string | null>>
}

/** What the client does, or expects next. One key a step. */
export type Step =
  /** Sends bytes, in hex, or one message. `split: 1` sends each byte in a DATA frame. */
  | { readonly send: string | { readonly json: unknown }; readonly split?: number }
  | { readonly sendLine: string }
  /** Ends the client's half. With trailers, by HEADERS. */
  | { readonly end: true | { readonly trailers: Readonly<Record<string, string>> } }
  /** Resets the stream with CANCEL. */
  | { readonly reset: true }
  /** Expects a message. */
  | { readonly receive: { readonly json: unknown } | { readonly message: string } }
  /** Expects these bytes, whatever the framing. */
  | { readonly receiveBytes: string }
  /** Expects lines, each a JSON text. */
  | { readonly receiveLine: unknown }
  | { readonly receiveControl: 'stop' | 'draining' | 'ping' | { readonly pong: string } }
  /** Expects END_STREAM, with nothing before it. */
  | { readonly receiveEnd: true }
  /** Expects that the server ends the channel with a code: by `close`, or by a reset. */
  | { readonly receiveError: string }
  /** Expects that the stream is reset with NO_ERROR, or that the server's half has ended. */
  | { readonly receiveStop: true }
  /** Reads nothing, sends messages of 16 KiB, and expects that the server stops them within `most` bytes. */
  | { readonly flood: { readonly most: number } }

/** The cases of a file, and of each level. */
export function readCases(file: 'requests.json' | 'conversations.json'): readonly Case[] {
  const url = new URL(`../vectors/${file}`, import.meta.url)
  return JSON.parse(readFileSync(url, 'utf8')) as readonly Case[]
}
