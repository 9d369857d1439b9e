/** The program of docs/guides/browser.md in a page: questions as lines of JSON, and answers as they arrive. */
import { defineRoute } from '@h2channel/channel'
import { createRouter } from '@h2channel/channel/server'
import { json } from '@h2channel/codecs'
import { listen, makeCertificate } from '@h2channel/conn/testing'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { createSecureServer } from 'node:http2'
import { chromium } from 'playwright-core'
import { expect, test } from 'vitest'

import { ask } from '../../../examples/guides/src/page.ts'
import { chromiumPath } from './chromium.ts'

const sums = defineRoute('/sums', { client: json<number>(), server: json<number>() })

test('a page sends its messages, and reads each answer when it arrives', async () => {
  const certificate = await makeCertificate()
  const server = createSecureServer({ ...certificate, allowHTTP1: true })
  let proceed = (): void => {}
  const read = new Promise<void>((resolve) => {
    proceed = resolve
  })
  createRouter()
    .handle(sums, async (channel) => {
      let sum = 0
      for await (const message of channel) {
        sum += message
        await channel.send(sum)
        // Not before the page has read the first answer.
        await read
      }
    })
    .attach(server)
  server.on('request', (_request: Http2ServerRequest, response: Http2ServerResponse) => response.end('<title>a page'))
  await using at = await listen(server, certificate)
  await using browser = await chromium.launch({ executablePath: chromiumPath(), args: ['--no-sandbox'] })
  await using page = await browser.newPage({ ignoreHTTPSErrors: true })
  const answers: unknown[] = []
  await page.exposeFunction('onAnswer', (answer: unknown) => {
    answers.push(answer)
    proceed()
  })
  await page.goto(at.origin)
  await page.evaluate(`(${ask.toString()})('/sums', [1, 2, 3], onAnswer)`)
  expect(answers).toEqual([1, 3, 6])
})
