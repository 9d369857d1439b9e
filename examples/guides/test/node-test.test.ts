import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))

test('the tests of the guide run with node:test', async () => {
  const options = ['--conditions=@h2channel/source', '--import', 'tsx', '--test-reporter=tap']
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...options, '--test', 'examples/guides/test/with-node-test.ts'],
    { cwd: root },
  )
  expect(stdout).toMatch(/^# pass 1$/m)
  expect(stdout).toMatch(/^# fail 0$/m)
}, 60_000)
