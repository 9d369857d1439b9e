import { MAX_QUOTE, quote } from '../core/describe.ts'
import { CodecError, type CodecIssue } from '../core/errors.ts'
import type { SchemaIssue } from './standard.ts'

/** How many issues a {@link CodecError} keeps. A message can be wrong in a million places. */
const MAX_ISSUES = 100

/** The error for a message that a schema refused: its text has the first field and how many more there are. */
export function refusal(code: 'ENCODE_FAILED' | 'INVALID_MESSAGE', found: readonly SchemaIssue[]): CodecError {
  const issues = found.slice(0, MAX_ISSUES).map(normalise)
  const [first] = issues
  const text = first === undefined ? 'the schema refused it' : `${fieldName(first.path)}: ${quote(first.message)}`
  const more = found.length > 1 ? ` (and ${found.length - 1} more)` : ''
  return new CodecError(code, text + more, { issues })
}

function normalise({ message, path = [] }: SchemaIssue): CodecIssue {
  // Not `map`: arktype's paths are of a class of its own.
  return { message, path: Array.from(path, (segment) => (typeof segment === 'object' ? segment.key : segment)) }
}

/** A path as one would write it in code: `orders[0].price`, `labels["a b"]`. */
function fieldName(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'message'
  let name = ''
  for (const key of path.slice(0, MAX_QUOTE)) name += fieldStep(key, name === '')
  return quote(name)
}

/** One step of such a path. */
export function fieldStep(key: PropertyKey, isFirst: boolean): string {
  if (typeof key === 'string' && /^[A-Za-z_$][\w$]*$/.test(key)) return isFirst ? key : `.${key}`
  return `[${typeof key === 'string' ? JSON.stringify(key) : String(key)}]`
}
