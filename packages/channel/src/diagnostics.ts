/** What routers and clients publish on `node:diagnostics_channel`. */
export type {
  Closed,
  DiagnosticEvents,
  Drained,
  End,
  Failed,
  Opened,
  Opening,
  Refused,
  Slow,
} from './observe/diagnostics.ts'
export { diagnostics } from './observe/diagnostics.ts'
