/** Finds the route of a path: PATH-1 to PATH-5 of SPEC.md. */

/** What a path leads to. */
export type Found<T> =
  | { readonly value: T; readonly params: Readonly<Record<string, string>> }
  | 'not found'
  /** A parameter is no percent-encoded UTF-8, or `.` or `..`, which others take out of a path. */
  | 'malformed'

interface Node<T> {
  /** By decoded text. */
  readonly literals: Map<string, Node<T>>
  parameter: Node<T> | undefined
  leaf: { readonly value: T; readonly names: readonly string[] } | undefined
}

/** A segment of a path that was asked for. It is decoded when the walk reaches it: a path may have thousands. */
class Segment {
  readonly raw: string
  #decoded: string | undefined | null = null

  constructor(raw: string) {
    this.raw = raw
  }

  /** Undefined where it is malformed. */
  get decoded(): string | undefined {
    this.#decoded = this.#decoded === null ? decodeSegment(this.raw) : this.#decoded
    return this.#decoded
  }
}

/**
 * A tree with a level for each segment. A search tries a literal before a parameter, and looks at each node once at
 * most.
 */
export class RouteTree<T> {
  readonly #root: Node<T> = createNode()
  /** The segments of the longest route. */
  #depth = 0

  /** Adds a route. Returns whether there was none that matches the same paths. */
  add(path: string, value: T): boolean {
    let node = this.#root
    const names: string[] = []
    for (const segment of segmentsOf(path)) {
      if (segment.startsWith(':')) {
        names.push(segment.slice(1))
        node = node.parameter ??= createNode()
      } else {
        const literal = decodeSegment(segment) ?? segment
        const next = node.literals.get(literal) ?? createNode()
        node.literals.set(literal, next)
        node = next
      }
    }
    if (node.leaf !== undefined) return false
    this.#depth = Math.max(this.#depth, segmentsOf(path).length)
    node.leaf = { value, names }
    return true
  }

  /** @param target - a path, with a query or without. */
  find(target: string): Found<T> {
    const query = target.indexOf('?')
    const path = query === -1 ? target : target.slice(0, query)
    if (!path.startsWith('/')) return 'not found'
    const raw = path.slice(1).split('/', this.#depth + 1)
    if (raw.length > this.#depth) return 'not found'
    const segments = raw.map((one) => new Segment(one))
    const taken: Segment[] = []
    const leaf = search(this.#root, segments, 0, taken)
    if (leaf === undefined) return 'not found'
    if (leaf.names.length === 0) return { value: leaf.value, params: noParams }
    const params: [string, string][] = []
    for (const [index, name] of leaf.names.entries()) {
      const value = taken[index]?.decoded
      if (value === undefined || value === '.' || value === '..') return 'malformed'
      params.push([name, value])
    }
    return { value: leaf.value, params: Object.fromEntries(params) }
  }
}

/** One for all channels of routes without parameters, which keep it. */
const noParams: Readonly<Record<string, string>> = Object.freeze({})

function createNode<T>(): Node<T> {
  return { literals: new Map(), parameter: undefined, leaf: undefined }
}

/** Tries the literal before the parameter, at each segment from left to right. `taken` gets those of parameters. */
function search<T>(node: Node<T>, segments: readonly Segment[], index: number, taken: Segment[]): Node<T>['leaf'] {
  const segment = segments[index]
  if (segment === undefined) return node.leaf
  const literal = segment.decoded === undefined ? undefined : node.literals.get(segment.decoded)
  const found = literal && search(literal, segments, index + 1, taken)
  if (found !== undefined || node.parameter === undefined || segment.raw === '') return found
  taken.push(segment)
  const below = search(node.parameter, segments, index + 1, taken)
  if (below === undefined) taken.pop()
  return below
}

/** The segments of a path that begins with a slash. */
function segmentsOf(path: string): string[] {
  return path.slice(1).split('/')
}

/** Decodes a segment once. Undefined where it is no percent-encoded UTF-8. */
export function decodeSegment(segment: string): string | undefined {
  // The check is cheaper than an error of `decodeURIComponent`.
  if (/[^!-~]|%(?![\dA-Fa-f]{2})/.test(segment)) return undefined
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
