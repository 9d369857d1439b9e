/** Checks the media type of a codec. */
import assert from 'node:assert/strict'

import { brief } from './kit.ts'

/** RFC 9110, sections 8.3.1 and 5.6.6. */
const token = "[\\w!#$%&'*+.^`|~-]+"
const parameter = `(${token})=(?:${token}|"(?:[^"\\\\]|\\\\.)*")`
const mediaType = new RegExp(`^(${token}/${token})(?:[ \\t]*;(?:[ \\t]*${parameter})?)*$`)

/** Types that are reserved for a framing, or for a body with a single message. */
const reserved: { readonly [type: string]: string } = {
  'application/json': 'a body that is one JSON text',
  'application/x-ndjson': 'lines of JSON, which a codec has by `line`',
  'application/octet-stream': 'messages of one size, which a codec has by `size`',
}

/** Asserts that a codec may have this media type. */
export function assertMediaType(contentType: string): void {
  const shown = brief(contentType)
  const [, type = ''] =
    mediaType.exec(contentType) ?? assert.fail(`${shown} is not a media type (RFC 9110, section 8.3.1)`)
  const meaning = reserved[type.toLowerCase()]
  assert.ok(meaning === undefined, `${shown} stands for ${meaning}: use another media type`)
  assert.ok(!type.includes('*'), `${shown} is a range of media types`)
  const names = [...contentType.matchAll(new RegExp(`;[ \\t]*${parameter}`, 'g'))].map((found) => found[1])
  for (const name of names) {
    const lower = name?.toLowerCase()
    assert.ok(lower !== 'q', `${shown}: in an accept header, q is the preference of a type`)
    assert.ok(lower !== 'charset', `${shown}: a charset is not compared, since text is UTF-8`)
  }
}
