import type { RecordCode, RecordShape } from './shape.ts'
import { refuseSize } from './place.ts'
import { readSource } from './source-read.ts'
import { writeSource } from './source-write.ts'
import { Source } from './source.ts'

let isForbidden = false

/**
 * Makes the code of one layout, without a loop but for arrays, and compiles it. `undefined` where the platform forbids that,
 * as a page's content security policy may: such a page is told of each violation, so the first refusal is the last attempt.
 *
 * All that the program chooses of the source are the names of fields, which are checked identifiers and in quotes.
 */
export function compileRecord(shape: RecordShape, littleEndian: boolean): RecordCode | undefined {
  if (isForbidden) return undefined
  const source = new Source(littleEndian)
  const methods = `return {
write(message, view, bytes, at) {
${writeSource(source, shape).join('\n')}
},
read(bytes, at, length) {
if (length !== ${shape.size}) ${source.constant(refuseSize)}(${shape.size}, length)
${readSource(source, shape).join('\n')}
},
}`
  const constants = source.constants.map((_, index) => `const c${index} = constants[${index}]`)
  const lines = ["'use strict'", ...constants, ...source.constructors, methods]
  try {
    // oxlint-disable-next-line typescript/no-implied-eval -- names are checked identifiers, all else is ours
    const make = new Function('constants', lines.join('\n'))
    return make(source.constants)
  } catch {
    isForbidden = true
    return undefined
  }
}
