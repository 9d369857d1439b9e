/**
 * Runs the tests on other versions of Node, whose binaries come from npm's package `node`.
 *
 *     tsx scripts/node-matrix.ts 22 24 26
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const majors = process.argv.slice(2)
if (majors.length === 0) throw new Error('name the major versions of Node to test on, such as 22 24')

/** Tests of documents, and tests that other tests repeat on every version: these run on one version. */
const left = [
  'examples/{chat,custom-codec,echo,guides}/**',
  'examples/flights/test/codecs.test.ts',
  'test/{documents,errors}.test.ts',
].flatMap((pattern) => ['--exclude', pattern])

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
  console.log(`\n=== Node ${major}`)
  run(node, ['--version'])
  // The tests start their own processes, which must use the same Node.
  const path = `${bin}${delimiter}${process.env['PATH'] ?? ''}`
  // Random input hardly depends on the version, so most of it runs on one.
  const env = { H2CHANNEL_INPUTS: '4000', H2CHANNEL_LEAKS: '5000', ...process.env, PATH: path }
  const report = process.env['H2CHANNEL_REPORTS']
  const reporters =
    report === undefined
      ? []
      : ['--reporter=default', '--reporter=json', `--outputFile.json=${report}/node-${major}.json`]
  run(node, [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...left, ...reporters], env)
}

function run(command: string, parameters: readonly string[], env: NodeJS.ProcessEnv = process.env): void {
  const { status, error } = spawnSync(command, parameters, { cwd: root, env, stdio: 'inherit' })
  if (error !== undefined) throw error
  if (status !== 0) process.exit(status ?? 1)
}
