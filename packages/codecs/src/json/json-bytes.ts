import { ByteWriter } from '../core/byte-writer.ts'
import { utf8 } from '../text/utf8.ts'

/** The bytes of a text that `JSON.stringify` made, one by one for the code that compares or stores them. */
export function jsonBytes(json: string): readonly number[] {
  const out = new ByteWriter()
  utf8.write(json, out)
  return [...out.written()]
}
