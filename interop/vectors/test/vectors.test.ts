import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, inject, test } from 'vitest'

import { needs } from '../../needs.ts'
import { codecOf } from '../src/codecs.ts'
import { fromNotation } from '../src/notation.ts'
import { decodeFrame, pathOf, readCases, readVectors, writeVectors } from '../src/vectors.ts'

const exec = promisify(execFile)
const cases = readCases()

/** Runs a language's program with a command and files. */
type Program = (args: readonly string[]) => Promise<{ stdout: string; stderr: string }>

const programs: Readonly<Record<string, Program>> = {
  go: (args) => {
    needs(inject('goProblem'))
    return exec(join(inject('goPrograms'), 'vectors'), args)
  },
  python: (args) => {
    needs(inject('pythonProblem'))
    const env = { ...process.env, PYTHONPATH: inject('pythonPath'), PYTHONDONTWRITEBYTECODE: '1' }
    return exec(inject('python'), [fileURLToPath(new URL('../../python/vectors.py', import.meta.url)), ...args], {
      env,
    })
  },
}

const languages = ['typescript', 'go', 'python']
const written = languages.map((language) => ({ language, vectors: readVectors(`${language}.json`) }))

describe.each(written)('the file of $language', ({ language, vectors }) => {
  test.each(vectors)('$codec: $name: TypeScript reads it', ({ codec, contentType, message, frame }) => {
    const own = codecOf(codec, contentType)
    expect(own.contentType).toBe(contentType ?? own.contentType)
    expect(decodeFrame(own, frame)).toStrictEqual(fromNotation(message))
  })

  test.each(Object.entries(programs))('%s reads it', async (_, program) => {
    const { stdout } = await program(['check', pathOf(`${language}.json`)])
    expect(stdout).toBe(`${cases.length} vectors read\n`)
  })

  // `--update` writes the file instead.
  test('is what the language writes today', async () => {
    const program = programs[language]
    const text = program === undefined ? writeVectors(cases) : (await program(['write', pathOf('cases.json')])).stdout
    await expect(text).toMatchFileSnapshot(pathOf(`${language}.json`))
  })
})

describe('the languages compared with each other', () => {
  // JSON texts differ in spaces and escapes that have no meaning: README.md lists them.
  const canonical = cases.flatMap((one, index) => (one.codec === 'json' ? [] : [{ ...one, index }]))

  test.each(canonical)('$codec: $name: they write the same, unless the case gives a reason', ({ index, differs }) => {
    const frames = new Set(written.map(({ vectors }) => vectors[index]?.frame))
    expect(frames.size > 1).toBe(differs !== undefined)
  })

  test('no two cases have the same name', () => {
    const names = cases.map(({ codec, name }) => `${codec}: ${name}`)
    expect(names).toHaveLength(new Set(names).size)
  })

  test.each(Object.entries(programs))('%s notices a frame with another message', async (_, program) => {
    const folder = mkdtempSync(join(tmpdir(), 'h2channel-interop-vectors-'))
    try {
      const file = join(folder, 'wrong.json')
      const right = readVectors('typescript.json').filter(({ name }) => name === 'one field, big-endian')
      const wrong = right.map((vector) => ({ ...vector, name: 'a wrong one', message: { delay: 300 } }))
      writeFileSync(file, JSON.stringify([...right, ...wrong]))
      const { stderr } = await program(['check', file]).then(
        () => ({ stderr: 'nothing was noticed' }),
        (error: { stderr: string }) => error,
      )
      expect(stderr.trim().split('\n')).toEqual([expect.stringContaining('struct: a wrong one: expected')])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
