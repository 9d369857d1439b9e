/** Certificates of servers that ask their clients for one (mutual TLS), and of such clients. */
import { generate } from 'selfsigned'

import type { Certificate } from '../../src/testing.ts'
import { makeCertificate } from '../../src/testing.ts'

const day = 24 * 60 * 60 * 1000

export interface ClientCertificates {
  /** The server's own, which is also the authority that it takes. */
  readonly server: Certificate
  readonly good: Certificate
  /** What a client may come with that the server does not take. */
  readonly wrong: Readonly<Record<WrongCertificate, Partial<Certificate>>>
}

export const wrongCertificates = ['missing', 'unknown authority', 'expired'] as const

export type WrongCertificate = (typeof wrongCertificates)[number]

export async function makeClientCertificates(): Promise<ClientCertificates> {
  const server = await makeCertificate()
  const of = async (authority: Certificate, name: string, until: number): Promise<Certificate> => {
    const made = await generate([{ name: 'commonName', value: name }], {
      keyType: 'ec',
      algorithm: 'sha256',
      notBeforeDate: new Date(Date.now() - 2 * day),
      notAfterDate: new Date(Date.now() + until),
      extensions: [{ name: 'extKeyUsage', clientAuth: true }],
      ca: authority,
    })
    return { key: made.private, cert: made.cert }
  }
  return {
    server,
    good: await of(server, 'good', day),
    wrong: {
      missing: {},
      'unknown authority': await of(await makeCertificate(), 'unknown', day),
      expired: await of(server, 'expired', -day),
    },
  }
}
