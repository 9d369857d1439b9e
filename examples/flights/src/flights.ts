/** 231,083 flights within the USA, from `vega-datasets` up to its version 2. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

import type { Flight } from './routes.ts'

export function readFlights(): readonly Flight[] {
  const file = createRequire(import.meta.url).resolve('vega-datasets/data/flights-200k.json')
  return JSON.parse(readFileSync(file, 'utf8'))
}
