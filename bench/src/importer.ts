/** A new process that imports modules, and says how long that took. */
import type { Reply } from './worker.ts'

export interface ImportTask {
  readonly do: 'import'
  readonly modules: readonly string[]
}

process.on('message', ({ modules }: ImportTask) => {
  const begin = performance.now()
  const reply = (said: Reply): void => {
    process.send?.(said)
  }
  Promise.all(modules.map((module) => import(module) as Promise<unknown>)).then(
    () => reply({ answer: performance.now() - begin }),
    (error: unknown) => reply({ error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
