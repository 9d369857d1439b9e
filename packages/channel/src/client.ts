/** The client's side: opens channels to the routes of a service. */
export type { Client } from './client/create-client.ts'
export { createClient } from './client/create-client.ts'
export type {
  CallArguments,
  CallOptions,
  ClientCloseOptions,
  ClientOptions,
  KeepOpenArguments,
  KeepOpenOptions,
  OpenArguments,
  OpenOptions,
  RequestOptions,
} from './client/client-options.ts'
export type { ClientEvent, OnClientEvent } from './client/events.ts'
export type { KeepOpenContext } from './client/keep-open.ts'
export type { RetryOptions } from './options.ts'
