// #region test
import { channelPair } from '@h2channel/channel/testing'
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { serveSums, sums } from '../src/testing.ts'

await test('a handler, without a network', async () => {
  const [client, server] = channelPair(sums)
  const handled = serveSums(server, { params: { unit: 'EUR' } })
  await client.send({ add: 1 })
  assert.deepEqual(await client.receive(), { sum: 1, unit: 'EUR' })
  await Promise.all([client.close(), handled])
})
// #endregion
