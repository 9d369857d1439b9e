/** Writes one line of JSON for each channel that ended, and for refusals, slow readers, errors and drains. */
import type { DiagnosticEvents } from '@h2channel/channel/diagnostics'
import { subscribe } from 'node:diagnostics_channel'

function on<Name extends keyof DiagnosticEvents>(name: Name, log: (event: DiagnosticEvents[Name]) => void): void {
  subscribe(`h2channel:${name}`, (event) => log(event as DiagnosticEvents[Name]))
}

/** Call it before channels are opened. In JSON, a channel shows its path, addresses and numbers, and no headers. */
export function logChannels(write: (line: string) => void = console.log): void {
  const line = (event: string, fields: object): void => write(JSON.stringify({ event, ...fields }))
  on('close', ({ opening: { side, route, origin }, channel, closed }) => {
    const { code = 'clean', message, cause } = closed.clean ? {} : closed.error
    const why = cause instanceof Error ? String(cause) : undefined
    line('close', { side, route, origin, code, message, cause: why, channel })
  })
  on('refuse', ({ opening: { side, route }, status, message, error }) => {
    line('refuse', { side, route, status, message: error instanceof Error ? error.message : message })
  })
  on('slow', ({ opening: { side, route }, waited, channel }) => line('slow', { side, route, waited, channel }))
  on('error', ({ route, error }) => line('error', { route, message: error instanceof Error ? error.stack : error }))
  on('drain', ({ channels, timeout }) => line('drain', { channels, timeout }))
}
