/** SPEC.md and the tests that cite its rules: one or several in parentheses, at the end of the title of a test. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseAst } from 'vitest/node'

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
  return files.filter((path) => path !== 'test/spec.test.ts').flatMap((path) => citedBy(read(path)))
}

/** The rules that the titles of a program's tests cite: comments, other texts and tests that do not run cite none. */
function citedBy(program: string): string[] {
  const found: string[] = []
  visit(parseAst(program, { lang: 'ts' }))
  return found

  function visit(node: unknown): void {
    if (typeof node !== 'object' || node === null) return
    if (isCall(node)) {
      const names = calleeOf(node.callee)
      if (['test', 'it', 'describe'].includes(names[0] ?? '')) {
        // What is inside a group that does not run does not run either.
        if (names.includes('skip') || names.includes('todo')) return
        found.push(...rulesOf(textOf(node.arguments[0])))
      }
    }
    for (const child of Object.values(node)) visit(child)
  }
}

interface Call {
  readonly type: 'CallExpression'
  readonly callee: unknown
  readonly arguments: readonly unknown[]
}

function isCall(node: object): node is Call {
  return 'type' in node && node.type === 'CallExpression'
}

/** The names of `test.concurrent.each(table)`: test, concurrent, each. */
function calleeOf(node: unknown): string[] {
  const { type, name, object, property, callee, tag } = node as Readonly<Record<string, unknown>>
  if (type === 'Identifier') return [String(name)]
  if (type === 'MemberExpression') return [...calleeOf(object), ...calleeOf(property)]
  if (type === 'CallExpression') return calleeOf(callee)
  return type === 'TaggedTemplateExpression' ? calleeOf(tag) : []
}

/** A title without the values that a template puts into it. */
function textOf(node: unknown): string {
  const { type, value, quasis } = (node ?? {}) as Readonly<Record<string, unknown>>
  if (type === 'Literal' && typeof value === 'string') return value
  if (type !== 'TemplateLiteral') return ''
  return (quasis as readonly { readonly value: { readonly raw: string } }[]).map((one) => one.value.raw).join('…')
}

function rulesOf(title: string): string[] {
  const [, list = ''] = /\(([A-Z]+-\d+(?:, [A-Z]+-\d+)*)\)$/.exec(title) ?? []
  return list.split(', ').filter((rule) => rule !== '' && !others.has(rule))
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

describe('a citation', () => {
  test.each([
    ["test('is (A-1)', () => {})", ['A-1']],
    ["describe('are (A-1, B-2)', () => { it('is (C-3)', f) })", ['A-1', 'B-2', 'C-3']],
    ["test.each([['x']])('%s (A-1)', (one: string) => {})", ['A-1']],
    ["test.skipIf(condition).concurrent('is (A-1)', f)", ['A-1']],
    ['test(`${one} (A-1)`, f)', ['A-1']],
    ['test(`${one} (${rules})`, f)', []],
    ["test('(A-1) is not at the end', f)", []],
    ["// test('is (A-1)', f)", []],
    ["check('is (A-1)', f)", []],
    ["test('is', () => 'text (A-1)')", []],
    ["test.skip('is (A-1)', f)", []],
    ["test.todo('is (A-1)')", []],
    ["describe.skip('are', () => { test('is (A-1)', f) })", []],
    ["test.skip.each([1])('is (A-1)', f)", []],
  ])('is a title of a test that runs: %s', (program, expected) => {
    expect(citedBy(program)).toEqual(expected)
  })
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
