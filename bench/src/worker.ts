/** A process of the comparison: a server, a client, or the relay between them, on request. */
import type { Certificate } from '@h2channel/conn/testing'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Job, Result } from './job.ts'
import { startPublisher } from './broadcast.ts'
import { Client, published, runAlone, runCodec } from './loads.ts'
import { entryOf } from './peers/index.ts'
import type { Alone, Codecs, Peer } from './peers/peer.ts'
import { startRelay } from './relay.ts'

/** The tasks of a process. */
export type Task =
  /** Returns the port. */
  | { readonly do: 'serve'; readonly peer: string; readonly certificate?: Certificate }
  /** Returns the port on which the server is asked to publish messages. */
  | { readonly do: 'publish' }
  /** Returns the CPU time of the process. Unit: microseconds. */
  | { readonly do: 'usage' }
  /** Returns the port. */
  | { readonly do: 'relay'; readonly target: number; readonly roundTrip: number }
  /** Returns the resident memory after garbage collection. Unit: bytes. */
  | { readonly do: 'memory' }
  /** Loads the libraries, so that connecting takes no longer than necessary. */
  | { readonly do: 'load'; readonly peer: string }
  | { readonly do: 'connect'; readonly port: number; readonly roundTrip: number; readonly ca?: string }
  /** Returns a Result. Uses the connection that was made with that round trip. */
  | { readonly do: 'run'; readonly job: Job; readonly roundTrip: number; readonly publisher?: number }

export interface Reply {
  readonly answer?: unknown
  readonly error?: string
}

let loaded: Peer | Alone | Codecs | undefined
const clients = new Map<number, Client>()

async function perform(task: Task): Promise<unknown> {
  switch (task.do) {
    case 'serve': {
      loaded = await entryOf(task.peer).load()
      return 'serve' in loaded ? loaded.serve(task.certificate) : undefined
    }
    case 'publish': {
      const peer = loaded
      if (peer === undefined || !('serve' in peer)) throw new Error('there is no server')
      return startPublisher(published(), (message) => peer.publish?.(message))
    }
    case 'usage':
      return usage()
    case 'relay':
      return startRelay(task.target, task.roundTrip)
    case 'memory':
      return residentMemory()
    case 'load':
      loaded = await entryOf(task.peer).load()
      return undefined
    case 'connect':
      if (loaded !== undefined && 'connect' in loaded) {
        clients.set(task.roundTrip, new Client(await loaded.connect(task.port, task.ca)))
      }
      return undefined
    case 'run': {
      const before = usage()
      const result = await run(task)
      return { ...result, cpu: usage() - before }
    }
  }
}

async function run({ job, roundTrip, publisher = 0 }: Task & { do: 'run' }): Promise<Result> {
  if (loaded !== undefined && 'run' in loaded) return runAlone(loaded, job)
  if (loaded !== undefined && 'decode' in loaded) return runCodec(loaded, job)
  const client = clients.get(roundTrip)
  if (client === undefined) throw new Error('the client is not connected')
  return client.run(job, publisher)
}

function usage(): number {
  const { user, system } = process.cpuUsage()
  return user + system
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
