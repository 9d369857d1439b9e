/** For `@h2channel/channel` alone: this module does not follow semantic versioning. It runs where `./web` runs. */
export { inspectAs } from './runtime/inspect-as.ts'
export { runInRootContext } from './runtime/root-context.ts'
export { abortable } from './waits/abortable.ts'
export { waitErrors } from './waits/wait-errors.ts'
export type { WaitErrors } from './waits/wait-errors.ts'
export { WaitQueue } from './waits/wait-queue.ts'
export type { Waiting } from './waits/wait-queue.ts'
