import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, expect, test, vi } from 'vitest'
import { u8 } from '../../src/index.ts'
import { recordShape } from '../../src/struct/layout.ts'
import { structCases } from '../support/struct-cases.ts'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.resetModules()
})

test('struct: has the same results where code cannot be compiled', async () => {
  const program = fileURLToPath(new URL('../support/struct-forbidden.ts', import.meta.url))
  const args = ['--disallow-code-generation-from-strings', '--import', import.meta.resolve('tsx'), program]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  expect(stdout.trim().split('\n')).toEqual(structCases.map(({ name }) => name))
})

test('compileRecord: does not try again after it was forbidden', async () => {
  const { compileRecord } = await import('../../src/struct/compile.ts')
  const shape = recordShape({ a: u8 })
  expect(compileRecord(shape, false)).toBeDefined()
  let tries = 0
  vi.stubGlobal('Function', function refused() {
    tries++
    throw new EvalError('Code generation from strings disallowed for this context')
  })
  expect(compileRecord(shape, false)).toBeUndefined()
  expect(compileRecord(shape, true)).toBeUndefined()
  expect(tries).toBe(1)
})
