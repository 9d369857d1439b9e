/** What routers and clients publish on `node:diagnostics_channel`. */
export type {
  CloseEvent,
  DiagnosticEvents,
  DrainEvent,
  End,
  ErrorEvent,
  OpenEvent,
  OpenRequestEvent,
  RefuseEvent,
  SlowEvent,
} from './observe/diagnostics.ts'
export { diagnostics } from './observe/diagnostics.ts'
