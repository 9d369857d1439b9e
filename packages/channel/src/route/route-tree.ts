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

/** A segment of a path that was asked for. */
interface Segment {
  readonly raw: string
  /** Undefined where it is malformed. */
  readonly decoded: string | undefined
}

/** A tree with a level for each segment, so that the number of routes hardly matters to a search. */
export class RouteTree<T> {
  readonly #root: Node<T> = createNode()

  /** Adds a route. Returns whether there was none that matches the same paths. */
  add(path: string, value: T): boolean {
    let node = this.#root
    const names: string[] = []
    for (const segment of segmentsOf(path)) {
      if (segment.startsWith(':')) {
        names.push(segment.slice(1))
        node = node.parameter ??= createNode()
      } else {
        const literal = decode(segment) ?? segment
        const next = node.literals.get(literal) ?? createNode()
        node.literals.set(literal, next)
        node = next
      }
    }
    if (node.leaf !== undefined) return false
    node.leaf = { value, names }
    return true
  }

  /** @param target - a path, with a query or without. */
  find(target: string): Found<T> {
    const query = target.indexOf('?')
    const path = query === -1 ? target : target.slice(0, query)
    if (!path.startsWith('/')) return 'not found'
    const segments = segmentsOf(path).map((raw): Segment => ({ raw, decoded: decode(raw) }))
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
function decode(segment: string): string | undefined {
  if (/[^!-~]/.test(segment)) return undefined
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
