/** A process of the comparison: a server, a client, or the relay between them, on request. */
import { setTimeout as sleep } from 'node:timers/promises'

import type { Job } from './job.ts'
import { Client, runAlone } from './loads.ts'
import { entryOf } from './peers/index.ts'
import type { Alone, Peer } from './peers/peer.ts'
import { startRelay } from './relay.ts'

/** The tasks of a process. */
export type Task =
  /** Returns the port. */
  | { readonly do: 'serve'; readonly peer: string }
  /** Returns the port. */
  | { readonly do: 'relay'; readonly target: number; readonly roundTrip: number }
  /** Returns the resident memory after garbage collection. Unit: bytes. */
  | { readonly do: 'memory' }
  /** Loads the libraries, so that connecting takes no longer than necessary. */
  | { readonly do: 'load'; readonly peer: string }
  | { readonly do: 'connect'; readonly port: number; readonly roundTrip: number }
  /** Returns a Result. Uses the connection that was made with that round trip. */
  | { readonly do: 'run'; readonly job: Job; readonly roundTrip: number }

export interface Reply {
  readonly answer?: unknown
  readonly error?: string
}

let loaded: Peer | Alone | undefined
const clients = new Map<number, Client>()

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
    case 'load':
      loaded = await entryOf(task.peer).load()
      return undefined
    case 'connect':
      if (loaded !== undefined && 'connect' in loaded) {
        clients.set(task.roundTrip, new Client(await loaded.connect(task.port)))
      }
      return undefined
    case 'run': {
      const { job, roundTrip } = task
      if (loaded !== undefined && 'run' in loaded) return runAlone(loaded, job)
      return clients.get(roundTrip)?.run(job)
    }
  }
}

/** Collects more than once: garbage that the first finds may hold more of it. */
async function residentMemory(): Promise<number> {
  const { gc } = globalThis
  if (gc === undefined) throw new Error('--expose-gc is missing')
  for (let round = 0; round < 3; round++) {
    gc()
    await sleep(20)
  }
  return process.memoryUsage.rss()
}

process.on('message', (task: Task) => {
  const reply = (said: Reply): void => {
    process.send?.(said)
  }
  perform(task).then(
    (answer) => reply({ answer }),
    (error: unknown) => reply({ error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) }),
  )
})
process.on('disconnect', () => process.exit())
