import { channelPair } from '@h2channel/channel/testing'
import { expect, test } from 'vitest'

import { readFlights } from '../src/flights.ts'
import type { CodecName, Flight } from '../src/routes.ts'
import { routes } from '../src/routes.ts'

const flights = readFlights()

test('there are as many flights as the example claims', () => {
  expect(flights).toHaveLength(231_083)
})

test.each(Object.keys(routes) as CodecName[])(
  'every flight survives %s, bit for bit and in order',
  async (codec) => {
    const [client, server] = channelPair(routes[codec])
    const sendAll = async (): Promise<void> => {
      for (const flight of flights) await client.send(flight)
      await client.end()
    }
    let count = 0
    const changed: unknown[] = []
    const compareAll = async (): Promise<void> => {
      for await (const received of server) {
        const sent = flights[count]
        if (!isSame(received, sent)) changed.push({ count, sent, received })
        count += 1
      }
    }
    await Promise.all([compareAll(), sendAll()])
    expect(changed.slice(0, 10)).toEqual([])
    expect(count).toBe(flights.length)
    await Promise.all([client.close(), server.close()])
  },
  60_000,
)

function isSame(received: Flight, sent: Flight | undefined): boolean {
  return (
    Object.is(received.delay, sent?.delay) &&
    Object.is(received.distance, sent?.distance) &&
    Object.is(received.time, sent?.time) &&
    Object.keys(received).length === 3
  )
}
