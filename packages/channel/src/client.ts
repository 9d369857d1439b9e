/** The client's side: opens channels to the routes of a service. */
export type { Client, ClientCloseOptions, ClientOptions, OpenArguments, OpenOptions } from './client/create-client.ts'
export { createClient } from './client/create-client.ts'
export type { ClientEvent, OnClientEvent } from './client/events.ts'
export type { RetryOptions } from './client/retry.ts'
