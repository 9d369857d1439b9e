import type { Codec } from '@h2channel/codecs'

import type { Channel } from '../core/channel.ts'
import { ChannelError } from '../errors.ts'
import type { Framing } from '../framing/framing.ts'
import { decodeSegment } from './route-tree.ts'

/**
 * One kind of channel that a service offers: its path, and the messages of each side. Client and server import the same
 * object, so that neither repeats a message type.
 */
export interface Route<Path extends string = string, C = unknown, S = unknown> extends RouteCodecs<C, S> {
  /** The path, in which `:name` stands for one segment. */
  readonly path: Path
}

/** The parameters of a path: `{ market: string }` for `/quotes/:market`. */
export type PathParams<Path extends string> = { readonly [Name in ParamNames<Path>]: string }

type ParamNames<Path extends string> = Path extends `${infer Segment}/${infer Rest}`
  ? ParamName<Segment> | ParamNames<Rest>
  : ParamName<Path>

type ParamName<Segment extends string> = Segment extends `:${infer Name}` ? Name : never

/** The client's end of a route. */
export type ClientChannel<R> = R extends Route<string, infer C, infer S> ? Channel<C, S> : never

/** The server's end of a route. */
export type ServerChannel<R> = R extends Route<string, infer C, infer S> ? Channel<S, C> : never

/** What `defineRoute` needs besides the path. */
export interface RouteCodecs<Client, Server> {
  /** The messages of the client. */
  readonly client: Codec<Client>
  /** The messages of the server. */
  readonly server: Codec<Server>
  /** How messages are separated, where the client accepts several ways. Default: `lengthPrefixed()`. */
  readonly framing?: Framing
}

/**
 * Defines a route that client and server share.
 *
 * @throws ChannelError `INVALID_ROUTE` when the path has anything but literal segments and `:name` segments, or the
 *   framing can't carry the codecs.
 *
 * @example
 * ```ts
 * export const quotes = defineRoute('/quotes/:market', {
 *   client: json(z.object({ symbols: z.array(z.string()) })),
 *   server: msgpack(Quote),
 * })
 * ```
 */
export function defineRoute<const Path extends string, Client, Server>(
  path: Path,
  codecs: RouteCodecs<Client, Server>,
): Route<Path, Client, Server> {
  checkPath(path)
  const { client, server, framing } = codecs
  for (const codec of framing === undefined ? [] : [client, server]) {
    if (framing?.carries(codec) === false) {
      throw new ChannelError('INVALID_ROUTE', `${path}: ${framing.name} framing can't carry codec ${codec.name}`)
    }
  }
  return framing === undefined ? { path, client, server } : { path, client, server, framing }
}

function checkPath(path: string): void {
  const wrong = (why: string): ChannelError =>
    new ChannelError('INVALID_ROUTE', `route path ${JSON.stringify(path)} ${why}`)
  if (!/^\/[^?#\s]*$/.test(path)) throw wrong('must begin with / and have no query')
  if (pathInUrl(path) !== path) throw wrong('must be written as in a URL, such as percent-encoded')
  for (const segment of path.split('/')) {
    if (segment.includes(':') && !/^:[A-Za-z_]\w*$/.test(segment)) throw wrong(`has a segment ${segment}, not :name`)
    const [reserved] = /[{}()[\]*+?!\\]/.exec(segment) ?? []
    if (reserved !== undefined) throw wrong(`has ${reserved}, which is a part of patterns elsewhere`)
    // No request could match it.
    if (decodeSegment(segment) === undefined) throw wrong(`has ${segment}, which is no percent-encoded UTF-8`)
  }
  const names = [...path.matchAll(/:(\w+)/g)].map((found) => found[1])
  if (new Set(names).size < names.length) throw wrong('names a parameter twice')
}

/**
 * The path of a request: `path` with its parameters filled in.
 *
 * @throws ChannelError `INVALID_ARGUMENT` for a parameter that does not fit into a path.
 */
export function fillPath(path: string, params: Readonly<Record<string, string>>): string {
  if (!path.includes(':')) return path
  return path.replaceAll(/:(\w+)/g, (_segment, name: string) => {
    const value: unknown = params[name]
    const wrong = (why: string, cause?: unknown): ChannelError =>
      new ChannelError('INVALID_ARGUMENT', `${path}: the parameter ${name} ${why}`, { cause })
    if (typeof value !== 'string' || value === '') throw wrong('must be a string that is not empty')
    // Proxies take these out of a path.
    if (value === '.' || value === '..') throw wrong(`cannot be ${JSON.stringify(value)}`)
    try {
      return encodeURIComponent(value)
    } catch (cause) {
      throw wrong('is not valid Unicode', cause)
    }
  })
}

/** How `path` stands in a URL, and so in a request. */
function pathInUrl(path: string): string | undefined {
  try {
    return new URL(path, 'http://localhost').pathname
  } catch {
    return undefined
  }
}
