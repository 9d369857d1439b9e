import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { allDocuments, blocksOf, quoted, read, root } from './documents.ts'

const run = promisify(execFile)
const folder = join(root, 'test', '.documents')
const documents = allDocuments()
const fromSource = ['--conditions=@h2channel/source', '--import', 'tsx']

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

/** The declarations that fragments without an import rely on. */
const globals = `
import type { Channel } from '@h2channel/channel'
declare global {
  const channel: Channel<{ symbols: string[] }, { symbol: string; price: number }>
  const message: { symbols: string[] }
  const client: import('@h2channel/channel/client').Client
  const defineRoute: typeof import('@h2channel/channel').defineRoute
  const json: typeof import('@h2channel/codecs').json
  const Question: import('@h2channel/codecs').StandardSchema<{ symbols: string[] }>
  const Quote: import('@h2channel/codecs').StandardSchema<{ symbol: string; price: number }>
}
`

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return String(port)
}

/** What the documents import and the root does not depend on, from the packages of the workspace that do. */
function linkDependencies(): void {
  for (const parent of ['bench', ...['examples', 'interop'].flatMap(foldersOf), ...foldersOf('packages')]) {
    const { dependencies, devDependencies } = JSON.parse(read(`${parent}/package.json`)) as Manifest
    for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
      const link = join(folder, 'node_modules', name)
      const target = join(root, parent, 'node_modules', name)
      if (existsSync(link) || !existsSync(target)) continue
      mkdirSync(dirname(link), { recursive: true })
      symlinkSync(target, link)
    }
  }
}

/** The packages of the workspace below a folder. */
function foldersOf(parent: string): string[] {
  return readdirSync(join(root, parent))
    .map((name) => `${parent}/${name}`)
    .filter((path) => existsSync(join(root, path, 'package.json')))
}

describe('documents', () => {
  const ofExamples = (file: string | undefined): boolean => file?.includes('/') === true

  // The blocks of one document are one project: a block may import the block that has a name.
  test('every TypeScript block compiles', async () => {
    const options = {
      extends: '../../tsconfig.json',
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ['**/*.ts'],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options))
    writeFileSync(join(folder, 'globals.d.ts'), globals)
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    linkDependencies()
    let count = 0
    for (const document of documents) {
      const project = join(folder, document.replaceAll(/\W/g, '-'))
      for (const { language, file, line, text, preamble } of blocksOf(document)) {
        if (language !== 'ts' || ofExamples(file)) continue
        mkdirSync(project, { recursive: true })
        writeFileSync(join(project, file ?? `line-${line}.ts`), `${preamble}\n${text}\nexport {}\n`)
        count += 1
      }
    }
    expect(count).toBeGreaterThan(10)
    const { stdout } = await run('node_modules/.bin/tsc', ['-p', join(folder, 'tsconfig.json')], { cwd: root }).catch(
      (error: { stdout: string }) => error,
    )
    expect(stdout).toBe('')
  }, 60_000)

  const shown = documents.flatMap((document) =>
    blocksOf(document).flatMap(({ file, text }) =>
      file === undefined || !ofExamples(file) ? [] : [{ document, file, text }],
    ),
  )

  test.each(shown)('$document shows $file as it is', ({ file, text }) => {
    expect(text).toBe(quoted(file))
  })

  test.each(['README.md', 'docs/start/quickstart.md'])(
    '%s: server and client run',
    async (document) => {
      await usingServerOf(document, async (project) => {
        const { stdout } = await run(process.execPath, [...fromSource, join(project, 'client.ts')], { cwd: root })
        expect(stdout).toBe('SAP 251.3\nALV 347.9\n')
      })
    },
    60_000,
  )

  test("the quick start's curl command gets an answer to each line", async ({ skip }) => {
    const help = await run('curl', ['--version']).catch(() => undefined)
    if (help?.stdout.includes('HTTP2') !== true) skip('curl with HTTP/2 is not installed')
    const document = 'docs/start/quickstart.md'
    const block = blocksOf(document).find(({ language, text }) => language === 'sh' && text.includes('curl'))
    await usingServerOf(document, async (_, port) => {
      const { stdout } = await run('sh', ['-c', block?.text.replaceAll('8080', port) ?? ''])
      expect(stdout).toBe('{"symbol":"SAP","price":251.3}\n{"symbol":"ALV","price":347.9}\n')
    })
  }, 60_000)
})

/** Runs the file `server.ts` of a document at a free port, with the other files of that document next to it. */
async function usingServerOf(document: string, use: (project: string, port: string) => Promise<void>): Promise<void> {
  const port = await freePort()
  const project = join(folder, `running-${port}`)
  mkdirSync(project, { recursive: true })
  for (const { file, text } of blocksOf(document)) {
    if (file !== undefined) writeFileSync(join(project, file), text.replaceAll('8080', port))
  }
  const server = spawn(process.execPath, [...fromSource, join(project, 'server.ts')], { cwd: root })
  try {
    await once(createInterface(server.stdout), 'line')
    await use(project, port)
  } finally {
    server.kill()
    await once(server, 'close')
    rmSync(project, { recursive: true, force: true })
  }
}
