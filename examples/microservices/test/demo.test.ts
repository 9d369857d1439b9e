import { expect, test } from 'vitest'

import { Program } from '../../test/program.ts'

test('the demo executes each order once, although two services are deployed again during it', async () => {
  await using demo = Program.run('microservices/src/demo.ts')
  await demo.exitsWith(0)
  expect(demo.output).toMatch(/^(\d+) orders sent, \1 executed, each once and in order$/m)
  expect(demo.output).toMatch(/[1-9]\d* at prices of the first pricing service, [1-9]\d* of the second/)
  expect(demo.output).toMatch(/[1-9]\d* executed by the first order service, [1-9]\d* by the second/)
  expect(demo.output).toContain('exit codes of all: 0, 0, 0')
}, 120_000)
