/** What `pnpm release` refuses, in real git repositories. */
import { execFile, execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { faultsOf, packages } from '../scripts/packages.ts'
import { releaseState } from '../scripts/release-refusals.ts'
import { root } from './documents.ts'

const run = promisify(execFile)
const version = '0.9.0'
let folder = ''

const git = (...parameters: string[]): string =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...parameters], { cwd: folder, encoding: 'utf8' })

function edit(path: string, change: (text: string) => string): void {
  writeFileSync(join(folder, path), change(readFileSync(join(folder, path), 'utf8')))
}

/** Edits a file, commits it, and returns why the result cannot be released. */
function refusalsAfter(path: string, change: (text: string) => string, publish = false): readonly string[] {
  edit(path, change)
  git('commit', '-qam', 'change')
  return releaseState(folder, publish, {}).refusals
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'h2channel-release-test-'))
  for (const file of ['LICENSE', 'NOTICE']) cpSync(join(root, file), join(folder, file))
  for (const name of packages) {
    for (const file of ['package.json', 'README.md', 'LICENSE', 'NOTICE']) {
      cpSync(join(root, 'packages', name, file), join(folder, 'packages', name, file))
    }
    edit(`packages/${name}/package.json`, (text) => text.replace(/"version": ".*"/, `"version": "${version}"`))
  }
  writeFileSync(join(folder, 'CHANGELOG.md'), `# Changelog\n\n## ${version}, not published yet\n\n- All of it.\n`)
  git('init', '-q')
  git('add', '.')
  git('commit', '-qm', 'begin')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('a release', () => {
  test('of a clean checkout is not refused', () => {
    expect(releaseState(folder, false, {})).toEqual({ version, refusals: [] })
  })

  test('is refused while the tree has changes, or files that git does not know', () => {
    writeFileSync(join(folder, 'note.txt'), 'a')
    expect(releaseState(folder, false, {}).refusals).toEqual([expect.stringContaining('?? note.txt')])
  })

  test('is refused if the tag of the version is another commit', () => {
    git('tag', `v${version}`)
    expect(releaseState(folder, false, {}).refusals).toEqual([])
    git('commit', '-q', '--allow-empty', '-m', 'later')
    expect(releaseState(folder, false, {}).refusals).toEqual([expect.stringContaining(`The tag v${version} exists`)])
  })

  test('is refused if the packages have different versions', () => {
    expect(refusalsAfter('packages/codecs/package.json', (text) => text.replace(version, '0.9.1'))).toEqual([
      'The packages have different versions: conn 0.9.0, codecs 0.9.1, channel 0.9.0.',
    ])
  })

  test.each(['0.8.0', '0.9.0-rc.1', '0.9.01'])('is refused if the heading of the changelog is %s', (heading) => {
    expect(refusalsAfter('CHANGELOG.md', (text) => text.replace(version, heading))).toEqual([
      `CHANGELOG.md has no heading "## ${version}".`,
    ])
  })

  test.each(['repository', 'homepage', 'bugs', 'publishConfig'])('is refused if a package has no %s', (field) => {
    const refusals = refusalsAfter('packages/conn/package.json', (text) => text.replace(`"${field}"`, `"no-${field}"`))
    expect(refusals).toEqual([expect.stringContaining(`packages/conn/package.json: ${field} is not`)])
  })

  test('is refused if a README of a package has a relative link', () => {
    expect(refusalsAfter('packages/conn/README.md', (text) => `${text}\n[SPEC](../../SPEC.md)\n`)).toEqual([
      expect.stringContaining('needs an absolute link for ../../SPEC.md'),
    ])
  })

  test('to npm needs the tag, a changelog with a date, and the identity of a workflow', () => {
    const { refusals } = releaseState(folder, true, {})
    expect(refusals).toEqual([
      `This commit has no tag v${version}.`,
      expect.stringContaining('not published yet'),
      expect.stringContaining('id-token'),
    ])
    edit('CHANGELOG.md', (text) => text.replace('not published yet', '2026-01-02'))
    git('commit', '-qam', 'date')
    git('tag', `v${version}`)
    expect(releaseState(folder, true, { ACTIONS_ID_TOKEN_REQUEST_URL: 'https://id' }).refusals).toEqual([])
  })

  test('that is refused ends the command with 1, and packs nothing', async () => {
    writeFileSync(join(folder, 'note.txt'), 'a')
    const command = [join(root, 'node_modules/tsx/dist/cli.mjs'), join(root, 'scripts/release.ts')]
    const failed = run(process.execPath, command, { cwd: folder })
    await expect(failed).rejects.toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('note.txt') })
  })
})

test.each(packages)('npm gets what it shows of %s', (name) => {
  expect(faultsOf(root, name)).toEqual([])
})
