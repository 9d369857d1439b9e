import { createRouter } from '@h2channel/channel/server'
import { startServer } from '@h2channel/channel/testing'
import { expect, test } from 'vitest'

import { askHistory, askMean, askPrice, askPrices, serveCalls } from '../src/calls.ts'

const lengths = async (market: string, symbol: string): Promise<number> => market.length * symbol.length
const upTo = (symbol: string): number[] => Array.from(symbol, (_letter, index) => index)

async function start() {
  const server = await startServer(serveCalls(createRouter(), lengths, upTo))
  return Object.assign(server, { caller: server.client() })
}

test('a call has one reply', async () => {
  await using server = await start()
  expect(await askPrice(server.caller, 'SAP')).toBe(15)
})

test('many questions on one channel have their replies in order', async () => {
  await using server = await start()
  expect(await askPrices(server.caller, ['S', 'SA', 'SAP'])).toEqual([5, 10, 15])
})

test('one question has many replies', async () => {
  await using server = await start()
  const received: number[] = []
  for await (const price of askHistory(server.caller, 'SAP')) received.push(price)
  expect(received).toEqual([0, 1, 2])
})

test('many messages have one reply', async () => {
  await using server = await start()
  expect(await askMean(server.caller, [1, 2, 6])).toBe(3)
})
