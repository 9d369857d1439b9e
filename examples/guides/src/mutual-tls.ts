import type { ChannelRequest } from '@h2channel/channel/server'
import { createRouter, Refusal } from '@h2channel/channel/server'
import { TLSSocket } from 'node:tls'

export function serviceOf({ session }: ChannelRequest): { service: string } {
  const socket = session?.socket
  if (!(socket instanceof TLSSocket) || !socket.authorized) throw new Refusal(401, 'a certificate of ours, please')
  return { service: String(socket.getPeerCertificate().subject.CN) }
}

export const router = createRouter({ authorize: serviceOf })
