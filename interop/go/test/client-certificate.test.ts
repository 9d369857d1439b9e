/** Mutual TLS: the errors of a client whose certificate a Go server does not accept. */
import { defineRoute, newlineDelimited } from '@h2channel/channel'
import type { ClientEvent } from '@h2channel/channel/client'
import { createClient } from '@h2channel/channel/client'
import { json } from '@h2channel/codecs'
import { beforeAll, describe, expect, test } from 'vitest'

// The module that makes certificates of other authorities is not part of the packages.
// oxlint-disable-next-line no-restricted-imports
import type { ClientCertificates, WrongCertificate } from '../../../packages/conn/test/support/client-certificates.ts'
// oxlint-disable-next-line no-restricted-imports
import { makeClientCertificates, wrongCertificates } from '../../../packages/conn/test/support/client-certificates.ts'
import type { Message } from './programs.ts'
import { GoServer } from './programs.ts'
import { filesOf } from './support.ts'

const route = defineRoute('/json', { client: json<Message>(), server: json<Message>(), framing: newlineDelimited() })

let certificates: ClientCertificates
beforeAll(async () => {
  certificates = await makeClientCertificates()
})

/** Go's text for each, by its alert. */
const alerts: Readonly<Record<string, Readonly<Record<WrongCertificate, RegExp>>>> = {
  'TLS 1.3': { missing: /certificate required/, 'unknown authority': /unknown ca/, expired: /certificate expired/ },
  'TLS 1.2': { missing: /handshake failure/, 'unknown authority': /unknown ca/, expired: /certificate expired/ },
}

describe.each(Object.entries(alerts))('a Go server that asks for a client certificate, %s', (version, said) => {
  const start = (): Promise<GoServer> => {
    const files = filesOf(certificates.server)
    return GoServer.start(files, ['-clients', files.cert, ...(version === 'TLS 1.2' ? ['-tls12'] : [])])
  }

  test('accepts a valid one', async () => {
    await using go = await start()
    await using client = createClient(go.origin, { tls: { ca: certificates.server.cert, ...certificates.good } })
    const channel = await client.open(route)
    expect(await channel.receive()).toEqual({ n: 0, text: 'welcome' })
    await channel.close()
  })

  test.each(wrongCertificates)('reports at once why it does not accept one that is %s', async (which) => {
    await using go = await start()
    const events: ClientEvent[] = []
    await using client = createClient(go.origin, {
      tls: { ca: certificates.server.cert, ...certificates.wrong[which] },
      onEvent: (event) => void events.push(event),
    })
    const began = performance.now()
    const error: unknown = await client.open(route).catch((reason: unknown) => reason)
    const took = performance.now() - began
    expect(error).toMatchObject({ code: 'CONNECT_FAILED', retryable: false, cause: { code: 'TLS_FAILED' } })
    expect(String(error)).toMatch(said[which])
    expect(took).toBeLessThan(1_000)
    expect(events).toMatchObject([{ type: 'fail', attempts: 1 }])
  })
})
