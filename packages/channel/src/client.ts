/** The client's side: opens channels to the routes of a service. */
export type { Client } from './client/create-client.ts'
export { createClient } from './client/create-client.ts'
export type { ClientCloseOptions, ClientOptions, OpenArguments, OpenOptions } from './client/client-options.ts'
export type { ClientEvent, OnClientEvent } from './client/events.ts'
export type { RetryOptions } from './options.ts'
