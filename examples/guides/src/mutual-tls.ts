import type { ChannelRequest } from '@h2channel/channel/server'
import { createRouter, Refusal } from '@h2channel/channel/server'
import { TLSSocket } from 'node:tls'

export function serviceOf({ session }: ChannelRequest): { service: string; expiresAt: Date } {
  const socket = session?.socket
  if (!(socket instanceof TLSSocket) || !socket.authorized) throw new Refusal(401, 'a certificate of ours, please')
  const { subject, valid_to: end } = socket.getPeerCertificate()
  return { service: String(subject.CN), expiresAt: new Date(end) } // The channel ends with the certificate.
}

export const router = createRouter({ authorize: serviceOf })
