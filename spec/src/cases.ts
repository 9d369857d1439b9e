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
  /** One answer, or several of which the server chooses. */
  readonly answer?: Answer | readonly Answer[]
  readonly steps?: readonly Step[]
}

/** Headers of a request. A `null` removes a default, and a list repeats the field. `{origin}` is the server's own. */
export interface RequestLine {
  readonly [name: string]: string | readonly string[] | boolean | null | undefined
  /** Whether the client's half ends with the request: END_STREAM is on the HEADERS frame, or follows `body`. */
  readonly end?: boolean
  /** Bytes that are sent before the response, in hexadecimal. */
  readonly body?: string
}

/** Default: status 200. */
export interface Answer {
  readonly status?: number
  /** Values of headers, in whole. A `null` stands for a header that must be absent. */
  readonly headers?: Readonly<Record<string, string | null>>
  /** A code of RST_STREAM in place of the answer, of a minimal server. */
  readonly orReset?: number
}

/** A JSON value, or a text that repeats a character. */
export type Message = { readonly json: unknown } | { readonly repeat: readonly [character: string, times: number] }

/** What the client does, or expects next. One key a step. */
export type Step = Action & {
  /** How long the step may take. Unit: seconds. */
  readonly within?: number
}

export type Action =
  /** Sends bytes, in hex, or one message. `split: 1` sends each byte in a DATA frame. */
  | { readonly send: string | Message; readonly split?: number }
  | { readonly sendLine: string }
  /** Ends the client's half. With trailers, by HEADERS. */
  | { readonly end: true | { readonly trailers: Readonly<Record<string, string>> } }
  /** Resets the stream with CANCEL. */
  | { readonly reset: true }
  /** Expects a message: a value, a body in hex, or a body in hex whose numbers and lengths may have any width. */
  | { readonly receive: Message | { readonly message: string } | { readonly msgpack: string } }
  /** Expects these bytes, whatever the framing. */
  | { readonly receiveBytes: string }
  /** Expects lines, each a JSON text. */
  | { readonly receiveLine: unknown }
  | { readonly receiveControl: 'stop' | 'draining' | 'ping' | { readonly pong: string } }
  /** Expects END_STREAM, with no message and no `close` before it. */
  | { readonly receiveEnd: true }
  /** Expects that the server ends the channel with a code: by `close`, or by a reset. */
  | { readonly receiveError: string }
  /** Expects that the server ends the channel by `close` with a code. */
  | { readonly receiveClose: string }
  /** Sends on after a refusal for so many seconds, without a reset. Then expects END_STREAM. */
  | { readonly refused: number }
  /** Reads nothing, sends messages of 16 KiB, and expects that the server stops them within `most` bytes. */
  | { readonly flood: { readonly most: number } }

/** One conversation over a link, on the route that sends messages back. */
export interface LinkCase {
  readonly name: string
  readonly rules: readonly string[]
  readonly steps: readonly LinkStep[]
}

/** What the client does, or expects next, on the connection that was opened last. */
export type LinkStep =
  /**
   * Opens a connection, and a stream with this `h2channel-link`, in which `{id}` stands for the id that came last.
   * Expects the status (default: 200), and `received` where the link continues.
   */
  | { readonly open: string; readonly status?: number; readonly received?: number }
  /** Sends records, in hex. */
  | { readonly send: string }
  /** Breaks the connection. */
  | { readonly lose: true }
  /** Ends the client's half of the carrier. */
  | { readonly end: true }
  /** Expects these bytes of the link, in any records. Acks before them are noted, and pings answered. */
  | { readonly receive: string }
  /** Expects that everything below the offset is acknowledged, or was. */
  | { readonly acked: number }
  /** Expects the record of the end. */
  | { readonly ended: true }
  | { readonly pong: string }
  /** Expects that no more data comes. */
  | { readonly silent: true }
  /** Expects a reset record with this code. */
  | { readonly reset: number }
  /** Expects that the server ends the carrier; with `before`, the one before. */
  | { readonly closed: true; readonly before?: true }

/** All cases of links. */
export function readLinkCases(): readonly LinkCase[] {
  return read('links.json') as readonly LinkCase[]
}

/** All cases: those of requests.json and conversations.json, and one for each invalid body of a codec. */
export function readCases(): readonly Case[] {
  return [
    ...(read('requests.json') as readonly Case[]),
    ...(read('conversations.json') as readonly Case[]),
    ...(read('invalid.json') as readonly InvalidBody[]).flatMap(toCase),
  ]
}

/** A body that a codec must refuse. */
export interface InvalidBody {
  readonly name: string
  readonly rules: readonly string[]
  readonly codec: string
  readonly contentType?: string
  readonly body: string
}

/** The routes that send any message of a codec back. The records of invalid.json have no routes. */
const routes: Readonly<Record<string, { readonly level: Level; readonly path: string }>> = {
  json: { level: 'minimal', path: '/conformance/echo' },
  msgpack: { level: 'full', path: '/conformance/msgpack' },
}

function toCase({ name, rules, codec, body }: InvalidBody): Case[] {
  const route = routes[codec]
  if (route === undefined) return []
  const hex = body.replaceAll(' ', '')
  const prefix = (hex.length / 2).toString(16).padStart(8, '0')
  const contentType = `application/vnd.h2channel+${codec}`
  return [
    {
      name: `${codec}: ${name}`,
      rules,
      level: route.level,
      request: { ':path': route.path, 'content-type': contentType, accept: contentType },
      steps: [{ send: prefix + hex }, { receiveError: 'INVALID_MESSAGE' }],
    },
  ]
}

/** Reads a file of vectors. */
export function read(file: string): unknown {
  return JSON.parse(readFileSync(new URL(`../vectors/${file}`, import.meta.url), 'utf8'))
}
