/** Certificates for services of one machine, signed by a new authority. */
import { generate } from 'selfsigned'

export interface Certificate {
  readonly key: string
  readonly cert: string
}

const common = {
  keyType: 'ec',
  algorithm: 'sha256',
  notAfterDate: new Date(Date.now() + 24 * 60 * 60 * 1000),
} as const

export async function makeAuthority(): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: 'demo authority' }], {
    ...common,
    extensions: [{ name: 'basicConstraints', cA: true, critical: true }],
  })
  return { key: made.private, cert: made.cert }
}

/** A certificate for a service that is a server at 127.0.0.1, and a client of others. */
export async function makeCertificate(service: string, ca: Certificate): Promise<Certificate> {
  const made = await generate([{ name: 'commonName', value: service }], {
    ...common,
    ca: { key: ca.key, cert: ca.cert },
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  })
  return { key: made.private, cert: made.cert }
}
