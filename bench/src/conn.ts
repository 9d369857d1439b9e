/**
 * Compares a conn with bare `node:http2`: both move the same bytes in the same run, in turn, between two processes.
 *
 *     node dist/conn.js [--node <binary>] [--rounds 7] [--mebibytes 512]
 */
import type { ChildProcess } from 'node:child_process'
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import type { Bulk, Direction, Kind } from './bulk.ts'
import type { Task } from './child.ts'
import { machine, median } from './measure.ts'

const { values } = parseArgs({
  options: {
    node: { type: 'string', default: process.execPath },
    rounds: { type: 'string', default: '7' },
    mebibytes: { type: 'string', default: '512' },
  },
})
const total = Number(values.mebibytes) * 1024 * 1024
const rounds = Number(values.rounds)

const children: ChildProcess[] = []

function start(): (task: Task) => Promise<unknown> {
  const child = fork(fileURLToPath(new URL('child.js', import.meta.url)), { execPath: values.node })
  children.push(child)
  return async (task) => {
    child.send(task)
    const [reply] = (await once(child, 'message')) as [{ answer?: unknown; error?: string }]
    if (reply.error !== undefined) throw new Error(reply.error)
    return reply.answer
  }
}

const [serve, run] = [start(), start()]
const ports = (await serve({ do: 'serve' })) as Readonly<Record<Kind, number>>
const time = async (bulk: Bulk): Promise<number> => (await run({ do: 'run', ports, bulk })) as number

const version = execFileSync(values.node, ['--version'], { encoding: 'utf8' }).trim()
console.log(machine(version))
console.log(
  `${values.mebibytes} MiB each way a run, ${rounds} rounds, medians; one cleartext HTTP/2 stream, two processes`,
)
console.log('\ndirection   write    conn MB/s   bare MB/s   conn / bare')

const directions: readonly Direction[] = ['up', 'down', 'both']
for (const direction of directions) {
  for (const write of [16 * 1024, 64 * 1024]) {
    const times: Record<Kind, number[]> = { conn: [], bare: [] }
    const ratios: number[] = []
    // The first round warms up and does not count.
    for (let round = 0; round <= rounds; round += 1) {
      const order: readonly Kind[] = round % 2 === 0 ? ['conn', 'bare'] : ['bare', 'conn']
      const took: Partial<Record<Kind, number>> = {}
      for (const kind of order) took[kind] = await time({ kind, direction, write, total })
      if (round === 0) continue
      const { conn = 0, bare = 0 } = took
      times.conn.push(conn)
      times.bare.push(bare)
      ratios.push(bare / conn)
    }
    const speed = (kind: Kind): string => (total / 1000 / median(times[kind])).toFixed(0).padStart(9)
    const size = `${write / 1024} KiB`.padStart(6)
    console.log(
      `${direction.padEnd(9)}  ${size}    ${speed('conn')}   ${speed('bare')}   ${median(ratios).toFixed(2).padStart(11)}`,
    )
  }
}
for (const child of children) child.disconnect()
