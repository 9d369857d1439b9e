/**
 * Measures what 200 routes cost the compiler, and so an editor. One program has a route, a client's conversation and a
 * handler each. The other has the same schemas and nothing else.
 *
 *     node dist/editor.js [--routes 200]
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import Table from 'cli-table3'

import { machine } from './measure.ts'

const { values } = parseArgs({ options: { routes: { type: 'string', default: '200' } } })
const routes = Number(values.routes)

/** A folder in which `@h2channel/*` and `zod` resolve. */
const folder = fileURLToPath(new URL('../editor/', import.meta.url))

const head = `import { createRouter } from '@h2channel/channel/server'
import { createClient } from '@h2channel/channel/client'
import { defineRoute } from '@h2channel/channel'
import { choice, f64, json, msgpack, oneOf, struct, u32 } from '@h2channel/codecs'
import { z } from 'zod'
export const date = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (value) => value.toISOString(),
})
`

function schemas(index: number): string {
  return `export const Order${index} = z.object({
  id: z.int(), user: z.string(), at: date, tags: z.array(z.string()).optional(),
  lines: z.array(z.object({ product${index}: z.string(), price: z.number(), count: z.int() })),
  payment: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('card'), number: z.string() }),
    z.object({ kind: z.literal('invoice'), due: date }),
  ]),
})
export const State${index} = z.object({ id: z.int(), state${index}: z.enum(['open', 'paid', 'sent']), changed: date })
`
}

function route(index: number): string {
  const record = `struct({ id: u32, price${index}: f64, side: choice('buy', 'sell') })`
  const codecs = [
    `{ client: json(Order${index}), server: json(State${index}) }`,
    `{ client: msgpack(Order${index}), server: msgpack(State${index}) }`,
    `{ client: oneOf(msgpack(Order${index}), json(Order${index})), server: json(State${index}) }`,
    `{ client: json(Order${index}), server: ${record} }`,
  ][index % 4]
  return `export const route${index} = defineRoute('/shops/:shop/orders${index}/:order', ${codecs})
router.handle(route${index}, async (channel, { params }) => {
  for await (const order of channel) console.log(params.shop, params.order, order.at.getTime(), order.payment.kind)
  await channel.end()
})
export async function talk${index}(): Promise<void> {
  const channel = await client.open(route${index}, { params: { shop: 'a', order: 'b' } })
  await channel.send({
    id: 1, user: 'u', at: new Date(), lines: [{ product${index}: 'p', price: 1, count: 2 }],
    payment: { kind: 'invoice', due: new Date() },
  })
  for await (const state of channel) console.log(state.id)
}
`
}

const all = Array.from({ length: routes }, (_, index) => index)
const programs = {
  'the schemas alone': `${head}${all.map(schemas).join('')}`,
  'with routes, clients and handlers': `${head}
const router = createRouter()
const client = createClient('https://localhost')
${all.map((index) => `${schemas(index)}${route(index)}`).join('')}`,
}

/** The compiler's statistics about a program, by name. */
function diagnostics(name: string, text: string): ReadonlyMap<string, string> {
  const file = join(folder, `${name.replaceAll(/\W/g, '-')}.ts`)
  writeFileSync(file, text)
  const flags = ['--noEmit', '--strict', '--target', 'es2023', '--module', 'nodenext', '--skipLibCheck']
  const lib = ['--lib', 'es2023,esnext.disposable', '--types', 'node', '--ignoreConfig']
  const tsc = spawnSync('tsc', [...flags, ...lib, '--extendedDiagnostics', file], { encoding: 'utf8' })
  if (tsc.status !== 0) throw new Error(`tsc: ${tsc.error?.message ?? tsc.stdout.slice(0, 2_000)}`)
  const lines = tsc.stdout.split('\n').map((line) => /^(.+?):\s+(\S+)/.exec(line) ?? [])
  return new Map(lines.map(([, key = '', value = '']) => [key, value]))
}

mkdirSync(folder, { recursive: true })
try {
  const figures = ['Types', 'Instantiations', 'Memory used', 'Check time', 'Total time']
  const table = new Table({ style: { head: [], border: [] }, head: [`${routes} routes`, ...figures] })
  for (const [name, text] of Object.entries(programs)) {
    const said = diagnostics(name, text)
    table.push([name, ...figures.map((figure) => said.get(figure) ?? '?')])
  }
  console.log(machine())
  console.log(table.toString())
} finally {
  rmSync(folder, { recursive: true })
}
