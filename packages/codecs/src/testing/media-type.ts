/** Which media types a codec may have. */
import assert from 'node:assert/strict'

import { brief } from './kit.ts'

/** RFC 9110, sections 8.3.1 and 5.6.6. */
const token = "[\\w!#$%&'*+.^`|~-]+"
const parameter = `(${token})=(?:${token}|"(?:[^"\\\\]|\\\\.)*")`
const mediaType = new RegExp(`^(${token}/${token})(?:[ \\t]*;(?:[ \\t]*${parameter})?)*$`)

/** Types that say how messages are framed, or that the body is a single one. */
const taken: { readonly [type: string]: string } = {
  'application/json': 'a body that is one JSON text',
  'application/x-ndjson': 'lines of JSON, which a codec is given by `line`',
  'application/octet-stream': 'messages of one size, which a codec is given by `size`',
}

export function assertMediaType(contentType: string): void {
  const shown = brief(contentType)
  const [, type = ''] =
    mediaType.exec(contentType) ?? assert.fail(`${shown} is no media type (RFC 9110, section 8.3.1)`)
  const stands = taken[type.toLowerCase()]
  assert.ok(stands === undefined, `${shown} stands for ${stands}: take a media type of your own`)
  assert.ok(!type.includes('*'), `${shown} is a range of media types`)
  const names = [...contentType.matchAll(new RegExp(`;[ \\t]*${parameter}`, 'g'))].map((found) => found[1])
  for (const name of names) {
    const lower = name?.toLowerCase()
    assert.ok(lower !== 'q', `${shown}: in an accept header, q is how much a type is liked`)
    assert.ok(lower !== 'charset', `${shown}: a charset is not compared, text is UTF-8`)
  }
}
