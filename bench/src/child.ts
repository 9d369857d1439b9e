/** A process of the bench: serves, or runs one load after another on request. */
import type { Bulk, Kind } from './bulk.ts'
import { runBulk, serveBulk } from './bulk.ts'

/** The requests to a child, and its answers. */
export type Task =
  { readonly do: 'serve' } | { readonly do: 'run'; readonly ports: Readonly<Record<Kind, number>>; readonly bulk: Bulk }

process.on('message', (task: Task) => {
  const work = task.do === 'serve' ? serveBulk() : runBulk(task.ports[task.bulk.kind], task.bulk)
  work.then(
    (answer) => process.send?.({ answer }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
