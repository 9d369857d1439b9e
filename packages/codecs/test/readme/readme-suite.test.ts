// oxlint-disable vitest/expect-expect -- the suite asserts
// The code of README.md again, for the codec of readme-example.ts.
import { dates } from './readme-example.ts'

import { codecSuite } from '@h2channel/codecs/testing'
import { test } from 'vitest'

const samples = { messages: [new Date(0), new Date(1e12)], refused: [undefined], broken: [new Uint8Array(7)] }
for (const { name, run } of codecSuite(dates, samples)) test(`dates: ${name}`, run)
