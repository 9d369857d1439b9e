/** Channels that outlive HAProxy and nginx, one behind the other, which are restarted among all the other troubles. */
import { makeCertificate } from '@h2channel/conn/testing'
import { describe, expect, test } from 'vitest'

import type { Between } from '../../../test/resume/play.ts'
import { conversations, cuts, play } from '../../../test/resume/play.ts'
import { haproxy, nginx } from '../src/kinds.ts'
import { startProxy } from '../src/proxy.ts'

const runs = Number(process.env['RUNS'] ?? 1)
const firstSeed = Number(process.env['H2CHANNEL_SEED'] ?? Date.now() % 1_000_000)

/** HAProxy, and nginx behind it. They accept as many streams of a connection as there are conversations. */
async function startBoth(servicePort: number): Promise<Between> {
  const certificate = await makeCertificate()
  const behind = await startProxy(nginx, servicePort, certificate, {
    edit: (config) =>
      config.replace('access_log off;', `access_log off; http2_max_concurrent_streams ${conversations};`),
  })
  const front = await startProxy(haproxy, behind.port, certificate, {
    edit: (config) =>
      config
        .replace('maxconn 1000', `maxconn 1000\n  tune.h2.max-concurrent-streams ${conversations}`)
        .replace('8080 proto h2', '8080 ssl verify none alpn h2'),
  })
  const restarts = [behind, front, behind, front].map((proxy) => async () => proxy.restart())
  return {
    port: front.port,
    ca: certificate.cert,
    restarts,
    async [Symbol.asyncDispose]() {
      await front[Symbol.asyncDispose]()
      await behind[Symbol.asyncDispose]()
    },
  }
}

describe.each(Array.from({ length: runs }, (_, index) => firstSeed + index))('seed %i', (seed) => {
  test(`${conversations} channels outlive HAProxy and nginx, ${cuts} lost connections, and pauses of 3 s`, async () => {
    const { faults, reported, left, resumed } = await play(seed, startBoth)
    expect(faults).toEqual([])
    expect(reported).toEqual([conversations, conversations])
    expect(left).toEqual([0, 0])
    expect(resumed).toBeGreaterThan(conversations * 2)
  }, 120_000)
})
