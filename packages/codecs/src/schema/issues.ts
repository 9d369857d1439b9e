import { maxQuote, quote } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'
import type { CodecIssue } from '../core/errors.ts'
import type { SchemaIssue } from './standard.ts'

/** How many issues a {@link CodecError} keeps. A message can have a million. */
const maxIssues = 100

/** Makes the error for an invalid message. Its text names the first invalid field and the number of further ones. */
export function issuesError(code: 'ENCODE_FAILED' | 'INVALID_MESSAGE', found: readonly SchemaIssue[]): CodecError {
  const issues = found.slice(0, maxIssues).map(normalise)
  const [first] = issues
  const text = first === undefined ? 'the schema refused it' : `${fieldName(first.path)}: ${quote(first.message)}`
  const more = found.length > 1 ? ` (and ${found.length - 1} more)` : ''
  return new CodecError(code, text + more, { issues })
}

function normalise({ message, path = [] }: SchemaIssue): CodecIssue {
  // Not `map`: arktype has its own class for paths.
  return { message, path: Array.from(path, (segment) => (typeof segment === 'object' ? segment.key : segment)) }
}

/** Returns a path as code would write it: `orders[0].price`, `labels["a b"]`. */
function fieldName(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'message'
  let name = ''
  for (const key of path.slice(0, maxQuote)) name += fieldStep(key, name === '')
  return quote(name)
}

/** Returns one step of a path in code: `orders`, `.price` or `[0]`. */
export function fieldStep(key: PropertyKey, isFirst: boolean): string {
  if (typeof key === 'string' && /^[A-Za-z_$][\w$]*$/.test(key)) return isFirst ? key : `.${key}`
  return `[${typeof key === 'string' ? JSON.stringify(key) : String(key)}]`
}
