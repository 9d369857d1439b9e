import { expect, test } from 'vitest'

import { Program } from '../../test/program.ts'

test('each order of the demo gets its execution, although two services are deployed and all three are killed', async () => {
  await using demo = Program.run('microservices/src/demo.ts')
  await demo.exitsWith(0)
  expect(demo.output).toMatch(/^(\d+) orders sent, \1 executed, each once and in order$/m)
  expect(demo.output).toMatch(/^at prices of the pricing services, one after the other: \d+, \d+, \d+$/m)
  expect(demo.output).toMatch(/^executed by the order services, one after the other: \d+, \d+, \d+$/m)
  expect(demo.output).toContain('exit codes of all: 0, 0, 0')
}, 120_000)
