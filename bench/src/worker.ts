/** A process of the comparison: a server, a client, or the relay between them, as it is told. */
import { setTimeout as sleep } from 'node:timers/promises'

import type { Job } from './job.ts'
import { Client, runAlone } from './loads.ts'
import { entryOf } from './peers/index.ts'
import type { Alone } from './peers/peer.ts'
import { startRelay } from './relay.ts'

/** What a process is told to do. */
export type Task =
  /** Answers the port. */
  | { readonly do: 'serve'; readonly peer: string }
  /** Answers the port. */
  | { readonly do: 'relay'; readonly target: number; readonly roundTrip: number }
  /** Answers how much memory is resident after garbage collection. Unit: bytes. */
  | { readonly do: 'memory' }
  | { readonly do: 'connect'; readonly peer: string; readonly port: number }
  | { readonly do: 'load'; readonly peer: string }
  /** Answers a Result. */
  | { readonly do: 'run'; readonly job: Job }

export interface Reply {
  readonly answer?: unknown
  readonly error?: string
}

let client: Client | undefined
let alone: Alone | undefined

async function perform(task: Task): Promise<unknown> {
  switch (task.do) {
    case 'serve': {
      const peer = await entryOf(task.peer).load()
      return 'serve' in peer ? peer.serve() : undefined
    }
    case 'relay':
      return startRelay(task.target, task.roundTrip)
    case 'memory':
      return residentMemory()
    case 'connect': {
      const peer = await entryOf(task.peer).load()
      if ('connect' in peer) client = new Client(await peer.connect(task.port))
      return undefined
    }
    case 'load': {
      const peer = await entryOf(task.peer).load()
      if ('run' in peer) alone = peer
      return undefined
    }
    case 'run': {
      const { job } = task
      if (alone !== undefined) return runAlone(alone, job)
      return client?.run(job)
    }
  }
}

/** Collects more than once: what the first finds to be garbage may hold more of it. */
async function residentMemory(): Promise<number> {
  const { gc } = globalThis
  if (gc === undefined) throw new Error('--expose-gc is missing')
  for (let round = 0; round < 4; round++) {
    gc()
    await sleep(40)
  }
  return process.memoryUsage.rss()
}

process.on('message', (task: Task) => {
  const reply = (with_: Reply): void => {
    process.send?.(with_)
  }
  perform(task).then(
    (answer) => reply({ answer }),
    (error: unknown) => reply({ error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }),
  )
})
process.on('disconnect', () => process.exit())
