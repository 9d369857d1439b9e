/** SPEC.md and the tests that cite its rules: `(OPEN-3)` or `(TYPE-3, TYPE-4)` at the end of a test's title. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

import { read, root } from './documents.ts'

const rules = [...read('SPEC.md').matchAll(/^\*\*([A-Z]+-\d+)\.\*\*/gm)].map((found) => found[1] ?? '')

/** Looks like a number of a rule, and is the name of something else. */
const others = new Set(['UTF-8', 'UTF-16', 'SHA-256'])

/** The rules that titles of tests cite. */
function citedByTests(): string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--', '*.test.ts'], {
    cwd: root,
    encoding: 'utf8',
  })
  const files = [...new Set(listed.trimEnd().split('\n'))].filter((path) => existsSync(join(root, path)))
  return files
    .flatMap((path) => [...read(path).matchAll(/\(([A-Z]+-\d+(?:, [A-Z]+-\d+)*)\)['"`]/g)])
    .flatMap((found) => (found[1] ?? '').split(', '))
    .filter((rule) => !others.has(rule))
}

/** The rules that the vectors cite: every list with the name `rules` in the files of spec/vectors. */
function citedByVectors(): string[] {
  const folder = join(root, 'spec/vectors')
  if (!existsSync(folder)) return []
  const found: string[] = []
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
    JSON.parse(read(`spec/vectors/${name}`), (key, value: unknown) => {
      if (key === 'rules' && Array.isArray(value)) found.push(...value.map(String))
      return value
    })
  }
  return found
}

test('the rules of each group are numbered from 1, in order', () => {
  expect(rules.length).toBeGreaterThan(90)
  const nameOf = (rule: string): string => rule.replace(/-\d+$/, '')
  const inOrder = [...new Set(rules.map(nameOf))].flatMap((name) => {
    const group = rules.filter((rule) => nameOf(rule) === name)
    return group.map((_, index) => `${name}-${index + 1}`)
  })
  expect(rules).toEqual(inOrder)
})

test('each rule is cited by a test or a vector', () => {
  const cited = new Set([...citedByTests(), ...citedByVectors()])
  expect(rules.filter((rule) => !cited.has(rule))).toEqual([])
})

test('each citation is of a rule', () => {
  const known = new Set(rules)
  expect([...citedByTests(), ...citedByVectors()].filter((rule) => !known.has(rule))).toEqual([])
})

test('each mention within SPEC.md is of a rule', () => {
  const known = new Set(rules)
  const mentioned = [...read('SPEC.md').matchAll(/\b[A-Z]{3,}-\d+\b/g)].map(([rule]) => rule)
  expect(mentioned.filter((rule) => !known.has(rule) && !others.has(rule))).toEqual([])
})
