import { struct } from '../../src/index.ts'
import { checkStructCase, structCases } from './struct-cases.ts'

// Runs under `--disallow-code-generation-from-strings`, see struct-forbidden.test.ts.
try {
  // oxlint-disable-next-line typescript/no-implied-eval -- the point is that it fails
  const make = new Function('return 1')
  throw new Error(`code can be compiled here: ${make.name}`)
} catch (error) {
  if (!(error instanceof EvalError)) throw error
}
for (const one of structCases) {
  checkStructCase(struct(one.layout, { endian: one.endian ?? 'big' }), one)
  process.stdout.write(`${one.name}\n`)
}
