/** What `pnpm release` refuses, in real git repositories. */
import { execFile, execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { faultsOf, integrityOf, packages, removeBuilds } from '../scripts/packages.ts'
import { publishAll, publishedIntegrity } from '../scripts/release-publish.ts'
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
function refusalsAfter(path: string, change: (text: string) => string): readonly string[] {
  edit(path, change)
  git('commit', '-qam', 'change')
  return releaseState(folder, 'check', {}).refusals
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
  writeFileSync(join(folder, 'CHANGELOG.md'), `# Changelog\n\n## ${version}, 2026-01-02\n\n- All of it.\n`)
  git('init', '-q', '-b', 'main')
  git('add', '.')
  git('commit', '-qm', 'begin')
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('a release', () => {
  test('of a clean checkout is not refused', () => {
    expect(releaseState(folder, 'check', {})).toEqual({ version, refusals: [] })
  })

  test('is refused while the tree has changes, or files that git does not know', () => {
    writeFileSync(join(folder, 'note.txt'), 'a')
    expect(releaseState(folder, 'check', {}).refusals).toEqual([expect.stringContaining('?? note.txt')])
  })

  test('is refused if the tag of the version is another commit', () => {
    git('tag', `v${version}`)
    expect(releaseState(folder, 'check', {}).refusals).toEqual([])
    git('commit', '-q', '--allow-empty', '-m', 'later')
    expect(releaseState(folder, 'check', {}).refusals).toEqual([expect.stringContaining(`The tag v${version} exists`)])
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

  test.each(['', ', not published yet', ', 2026-02-30', ' 2026'])(
    'is refused if the changelog has no date, but "%s"',
    (end) => {
      expect(refusalsAfter('CHANGELOG.md', (text) => text.replace(', 2026-01-02', end))).toEqual([
        `CHANGELOG.md says of ${version}: "${end.replace(', ', '')}". Write a date instead, such as 2026-01-31.`,
      ])
    },
  )

  test('is packed for the tag of the version alone', () => {
    expect(releaseState(folder, 'pack', {}).refusals).toEqual([`This commit has no tag v${version}.`])
    git('tag', `v${version}`)
    expect(releaseState(folder, 'pack', {}).refusals).toEqual([])
  })

  test('is published with the identity of a workflow alone', () => {
    git('tag', `v${version}`)
    expect(releaseState(folder, 'publish', {}).refusals).toEqual([expect.stringContaining('id-token')])
    expect(releaseState(folder, 'publish', { ACTIONS_ID_TOKEN_REQUEST_URL: 'https://id' }).refusals).toEqual([])
  })

  test('is refused if the tagged commit is not on main', () => {
    git('checkout', '-q', '-b', 'other')
    git('commit', '-q', '--allow-empty', '-m', 'other')
    git('tag', `v${version}`)
    expect(releaseState(folder, 'pack', {}).refusals).toEqual(['This commit is not on main.'])
    git('checkout', '-q', 'main')
    git('merge', '-q', 'other')
    git('commit', '-q', '--allow-empty', '-m', 'later')
    git('checkout', '-q', `v${version}`)
    expect(releaseState(folder, 'pack', {}).refusals).toEqual([])
  })

  test("is compared with the origin's main in a clone", () => {
    git('update-ref', 'refs/remotes/origin/main', 'HEAD')
    git('commit', '-q', '--allow-empty', '-m', 'not pushed')
    git('tag', `v${version}`)
    expect(releaseState(folder, 'pack', {}).refusals).toEqual(['This commit is not on main.'])
  })

  test('has nothing of an earlier build', () => {
    const stale = packages.map((name) => join(folder, 'packages', name, 'dist/stale.js'))
    for (const file of stale) {
      mkdirSync(join(file, '..'))
      writeFileSync(file, '')
    }
    removeBuilds(folder)
    expect(stale.filter((file) => existsSync(join(file, '..')))).toEqual([])
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

describe('npm gets', () => {
  let tarballs: string[] = []
  let sent: string[] = []

  function filesOf(released: string): void {
    tarballs = packages.map((name) => join(folder, `h2channel-${name}-${released}.tgz`))
    for (const tarball of tarballs) writeFileSync(tarball, tarball)
  }

  /** Publishes to an npm that has these versions. */
  function publishTo(has: Map<string, string>, released = version, lastOne = Infinity): void {
    sent = []
    publishAll(folder, released, {
      published: (name, asked) => has.get(`${name}@${asked}`),
      publish(tarball, tag) {
        if (sent.length === lastOne) throw new Error('npm failed')
        sent.push(`${tag} ${tarball}`)
        const name = packages[tarballs.indexOf(tarball)]
        has.set(`@h2channel/${name}@${released}`, integrityOf(tarball))
      },
    })
  }

  const latest = (): string[] => tarballs.map((tarball) => `latest ${tarball}`)

  test('the packages in the order of their dependencies, and after a failure the packages that it lacks', () => {
    filesOf(version)
    const has = new Map<string, string>()
    expect(() => publishTo(has, version, 1)).toThrow('npm failed')
    expect(sent).toEqual(latest().slice(0, 1))
    publishTo(has)
    expect(sent).toEqual(latest().slice(1))
    publishTo(has)
    expect(sent).toEqual([])
  })

  test.each(packages)('nothing if it has other bytes as %s', (name) => {
    filesOf(version)
    const has = new Map([[`@h2channel/${name}@${version}`, 'sha512-AAAA']])
    expect(() => publishTo(has)).toThrow(`npm has another @h2channel/${name}@${version}: sha512-AAAA, not sha512-`)
    expect(sent).toEqual([])
  })

  test('a prerelease as next, which is installed only on request', () => {
    filesOf('0.9.0-rc.1')
    publishTo(new Map(), '0.9.0-rc.1')
    expect(sent).toEqual(tarballs.map((tarball) => `next ${tarball}`))
  })

  test('nothing if a tarball is missing', () => {
    filesOf(version)
    rmSync(tarballs[2] ?? '')
    expect(() => publishTo(new Map())).toThrow(`There is no ${tarballs[2]}`)
    expect(sent).toEqual([])
  })

  test('no package if it does not say what it has', () => {
    expect(publishedIntegrity('"sha512-AAAA"\n')).toBe('sha512-AAAA')
    expect(publishedIntegrity('{"error":{"code":"E404","summary":"No match found for version 1.0.0"}}')).toBeUndefined()
    expect(() => publishedIntegrity('{"error":{"code":"E503","summary":"busy"}}')).toThrow('E503 busy')
    expect(() => publishedIntegrity('[]')).toThrow('does not say')
    expect(() => publishedIntegrity('')).toThrow('npm did not answer')
  })
})
