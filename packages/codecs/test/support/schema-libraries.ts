/** One message, as four libraries describe it. */
import { type } from 'arktype'
import * as v from 'valibot'
import { z } from 'zod'
import * as mini from 'zod/mini'
import type { Schema } from '../../src/index.ts'

export interface Order {
  id: number
  symbols: string[]
  note?: string | undefined
}

export const libraries: readonly (readonly [name: string, schema: Schema<Order>])[] = [
  ['zod', z.object({ id: z.number(), symbols: z.array(z.string()), note: z.string().optional() })],
  [
    'zod/mini',
    mini.object({ id: mini.number(), symbols: mini.array(mini.string()), note: mini.optional(mini.string()) }),
  ],
  ['valibot', v.object({ id: v.number(), symbols: v.array(v.string()), note: v.optional(v.string()) })],
  ['arktype', type({ id: 'number', symbols: 'string[]', 'note?': 'string | undefined' })],
]
