import type { ChannelError } from '@h2channel/channel'
import { defineRoute } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import type { Router } from '@h2channel/channel/server'
import { json } from '@h2channel/codecs'
import { listen, makeCertificate } from '@h2channel/conn/testing'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createSecureServer } from 'node:http2'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { blocksOf, read, root } from './documents.ts'

const run = promisify(execFile)
const folder = join(root, 'test', '.documents')
const documents = [
  'README.md',
  'docs/reference/errors.md',
  'packages/conn/README.md',
  'packages/channel/README.md',
  'docs/production.md',
  'docs/operate/observability.md',
]
const otherDocuments = ['ARCHITECTURE.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SPEC.md', 'packages/codecs/README.md']
const fromSource = ['--conditions=@h2channel/source', '--import', 'tsx']

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

describe('documents', () => {
  test('every TypeScript block compiles', async () => {
    const options = {
      extends: '../../tsconfig.json',
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ['*.ts'],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options))
    writeFileSync(join(folder, 'globals.d.ts'), globals)
    let count = 0
    for (const document of documents) {
      for (const block of blocksOf(document)) {
        if (block.language !== 'ts') continue
        const name = block.file ?? `${document.replaceAll(/\W/g, '-')}-line-${block.line}.ts`
        writeFileSync(join(folder, name), `${block.text}\nexport {}\n`)
        count += 1
      }
    }
    expect(count).toBeGreaterThan(10)
    const { stdout } = await run('node_modules/.bin/tsc', ['-p', join(folder, 'tsconfig.json')], { cwd: root }).catch(
      (error: { stdout: string }) => error,
    )
    expect(stdout).toBe('')
  }, 60_000)

  test('production.md: only a certificate of the server’s authority opens a channel with mutual TLS', async () => {
    const block = blocksOf('docs/production.md').find(({ file }) => file === 'mutual-tls.ts')
    writeFileSync(join(folder, 'mutual-tls.ts'), block?.text ?? '')
    const { router } = (await import(join(folder, 'mutual-tls.ts'))) as { router: Router<{ service: string }> }
    const whoami = defineRoute('/whoami', { client: json<string>(), server: json<string>() })
    router.handle(whoami, (channel, { auth }) => channel.send(auth.service))
    const [own, ours, madeOnTheSpot] = await Promise.all([makeCertificate(), makeCertificate(), makeCertificate()])
    const server = createSecureServer({ ...own, ca: ours.cert, requestCert: true, rejectUnauthorized: false })
    router.attach(server)
    const at = await listen(server, own)
    const name = async (certificate: Partial<typeof ours>): Promise<unknown> => {
      await using client = createClient(at.origin, { tls: { ...certificate, ca: own.cert } })
      return await client.open(whoami).then(
        (channel) => channel.receive(),
        ({ code }: ChannelError) => code,
      )
    }
    expect(await name(ours)).toBe('localhost')
    expect(await name(madeOnTheSpot)).toBe('UNAUTHENTICATED')
    expect(await name({})).toBe('UNAUTHENTICATED')
    expect(await name(ours)).toBe('localhost')
    await at.close()
  })

  test("README's server and client run", async () => {
    const port = await freePort()
    for (const block of blocksOf('README.md')) {
      if (block.file !== undefined) writeFileSync(join(folder, block.file), block.text.replaceAll('8080', port))
    }
    const server = spawn(process.execPath, [...fromSource, join(folder, 'server.ts')], { cwd: root })
    try {
      await once(createInterface(server.stdout), 'line')
      const { stdout } = await run(process.execPath, [...fromSource, join(folder, 'client.ts')], { cwd: root })
      expect(stdout).toBe('SAP 251.3\nALV 347.9\n')
    } finally {
      server.kill()
      await once(server, 'close')
    }
  }, 60_000)

  test("README's curl command gets each line back", async ({ skip }) => {
    const help = await run('curl', ['--version']).catch(() => undefined)
    if (help?.stdout.includes('HTTP2') !== true) skip('curl with HTTP/2 is not installed')
    const block = blocksOf('README.md').find(({ language, text }) => language === 'sh' && text.includes('curl'))
    const command = block?.text ?? ''
    const port = await freePort()
    const echo = join(root, 'examples/echo/src/server.ts')
    const server = spawn(process.execPath, [...fromSource, echo, '--port', port], { cwd: root })
    try {
      await once(createInterface(server.stdout), 'line')
      const { stdout } = await run('sh', ['-c', command.replaceAll('8080', port)])
      expect(stdout).toBe('{"text":"hello"}\n{"text":"again"}\n')
    } finally {
      server.kill()
      await once(server, 'close')
    }
  }, 60_000)

  test.each([...documents, ...otherDocuments])('%s: links to files of the repository have a target', (document) => {
    const links = [...read(document).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((found) => found[1] ?? '')
    const dead = links.filter((link) => !existsSync(join(root, dirname(document), link)))
    expect(dead).toEqual([])
  })
})
