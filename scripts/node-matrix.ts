/**
 * Runs the tests on other versions of Node, whose binaries come from npm's package `node`.
 *
 *     tsx scripts/node-matrix.ts 22 24 26
 *     tsx scripts/node-matrix.ts --install 22 24 26   # only fetches the binaries
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const onlyInstalls = process.argv[2] === '--install'
const majors = process.argv.slice(onlyInstalls ? 3 : 2)
if (majors.length === 0) throw new Error('name the major versions of Node to test on, such as 22 24')

/** Tests of documents, and tests that other tests repeat on every version: these run on the oldest version only. */
const once = [
  'examples/{chat,custom-codec,echo,guides,migrate,operate}/**',
  'examples/flights/test/codecs.test.ts',
  'packages/channel/test/spec-tables.test.ts',
  'spec/test/main.test.ts',
  'test/{documents,errors,house,landing,pages,release,spec}.test.ts',
]
/**
 * Tests that run on the oldest version, with all other tests, and on the newest. They are the examples, whose parts the
 * tests of the packages cover, and functions from values to bytes and back, which use nothing of Node. The tests of
 * text stay, since its code calls Node's. So do links over HTTP/2. Those over pipes and TCP
 * hardly depend on Node.
 */
const atBothEnds = [
  'examples/**',
  'packages/codecs/test/{core,schema}/**',
  'packages/codecs/test/msgpack/{decode,extension,msgpack}.test.ts',
  'packages/codecs/test/struct/{layout,random,struct,types}.test.ts',
  'packages/codecs/test/testing/conformance.test.ts',
  'packages/channel/test/{framing,route}/**',
  'packages/channel/test/link/{conformance-pipe,conformance-tcp,random-links}.test.ts',
]
const newest = majors.toSorted((one, other) => Number(one) - Number(other)).at(-1)

for (const major of majors) {
  const home = join(root, 'node_modules', '.cache', `node-${major}`)
  const bin = join(home, 'node_modules', 'node', 'bin')
  const node = join(bin, process.platform === 'win32' ? 'node.exe' : 'node')
  if (!existsSync(node)) {
    run('npm', [
      'install',
      '--no-save',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      '--prefix',
      home,
      `node@${major}`,
    ])
  }
  if (onlyInstalls) continue
  console.log(`\n=== Node ${major}`)
  run(node, ['--version'])
  // The tests start their own processes, which must use the same Node.
  const path = `${bin}${delimiter}${process.env['PATH'] ?? ''}`
  // Random input hardly depends on the version, so most of it runs on one: the newest, where no coverage is measured.
  const random = major === newest ? {} : { H2CHANNEL_INPUTS: '4000', H2CHANNEL_LEAKS: '5000' }
  const env = { ...random, ...process.env, PATH: path }
  const report = process.env['H2CHANNEL_REPORTS']
  const reporters =
    report === undefined
      ? []
      : ['--reporter=default', '--reporter=json', `--outputFile.json=${report}/node-${major}.json`]
  const left = [...once, ...(major === newest ? [] : atBothEnds)].flatMap((pattern) => ['--exclude', pattern])
  run(node, [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...left, ...reporters], env)
}

function run(command: string, parameters: readonly string[], env: NodeJS.ProcessEnv = process.env): void {
  const { status, error } = spawnSync(command, parameters, { cwd: root, env, stdio: 'inherit' })
  if (error !== undefined) throw error
  if (status !== 0) process.exit(status ?? 1)
}
