// oxlint-disable vitest/expect-expect -- some of these tests assert by the helpers of support.ts
/** Requests of web pages, which browsers send with the cookies of the user. interop/browser tests a real browser. */
import { json } from '@h2channel/codecs'
import { listen } from '@h2channel/conn/testing'
import { once } from 'node:events'
import type { OutgoingHttpHeaders } from 'node:http2'
import { createServer } from 'node:http2'
import { describe, expect, test } from 'vitest'

import { defineRoute } from '../../src/index.ts'
import type { Router } from '../../src/server.ts'
import { createRouter } from '../../src/server.ts'
import type { Served } from '../support/server-support.ts'
import { ask, bareSession, serve } from '../support/server-support.ts'
import { failOnUnhandledRejections, hexOf, jsonFrames, thrown } from '../support/support.ts'

failOnUnhandledRejections()

const echo = defineRoute('/echo', { client: json(), server: json() })
const greet = defineRoute('/greet/:name', { client: json(), server: json() })
const plain = { ':path': '/echo', 'content-type': 'application/vnd.h2channel+json' }
const shop = 'https://shop.example'

interface Counted extends Served {
  /** How often user code ran: `authorize` and handlers. */
  readonly ran: () => { asked: number; handled: number }
}

async function counted(origins?: readonly string[], tls = false): Promise<Counted> {
  let [asked, handled] = [0, 0]
  const setUp = (router: Router): void => {
    router.handle(echo, async (channel) => {
      handled += 1
      for await (const message of channel) await channel.send(message)
    })
    router.handle(greet, () => void (handled += 1))
  }
  const served = await serve(setUp, { tls, router: { origins, authorize: () => void (asked += 1) } })
  return { ...served, ran: () => ({ asked, handled }) }
}

describe('the headers by which a browser says where a page is from', () => {
  /** `own` stands for the origin of the server. */
  const table: readonly (readonly [what: string, says: OutgoingHttpHeaders, may: boolean])[] = [
    ['no such header, as other programs do', {}, true],
    ['its own origin', { origin: 'own', 'sec-fetch-site': 'same-origin' }, true],
    ['its own origin, in an old browser', { origin: 'own' }, true],
    ['its own origin, without `origin`', { 'sec-fetch-site': 'same-origin' }, true],
    ['a request that the user made', { 'sec-fetch-site': 'none' }, true],
    ['a listed origin', { origin: shop, 'sec-fetch-site': 'cross-site' }, true],
    ['a listed origin, in an old browser', { origin: shop }, true],
    ['another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }, false],
    ['another site, in an old browser', { origin: 'https://evil.example' }, false],
    ['another site, without an origin', { 'sec-fetch-site': 'cross-site' }, false],
    ['the same site, but another origin', { origin: 'http://127.0.0.1:1', 'sec-fetch-site': 'same-site' }, false],
    ['the same site, without an origin', { 'sec-fetch-site': 'same-site' }, false],
    ['its own host over another scheme', { origin: 'own', 'sec-fetch-site': 'cross-site' }, false],
    ['a hidden origin', { origin: 'null', 'sec-fetch-site': 'cross-site' }, false],
    ['a hidden origin, in an old browser', { origin: 'null' }, false],
    ['an extension', { origin: 'chrome-extension://abcdef' }, false],
    ['the listed host over another scheme', { origin: 'http://shop.example' }, false],
    ['the listed host at another port', { origin: 'https://shop.example:8443' }, false],
    ['a host that ends like the listed host', { origin: 'https://ashop.example' }, false],
    ['a subdomain of the listed host', { origin: 'https://www.shop.example' }, false],
    ['its own host at another port', { origin: 'http://127.0.0.1' }, false],
    ['the listed origin and another', { origin: `${shop}, https://evil.example` }, false],
    ['the listed origin in upper case', { origin: shop.toUpperCase() }, false],
    ['an invalid origin', { origin: 'https://' }, false],
    ['an empty origin', { origin: '' }, false],
    ['an unknown value', { 'sec-fetch-site': 'elsewhere' }, false],
  ]

  test.each(table)('%s', async (_what, says, may) => {
    await using served = await counted([shop])
    const told = says['origin'] === 'own' ? { ...says, origin: served.at.origin } : says
    const answer = await ask(served.at, { ...plain, ...told }, jsonFrames('hello'))
    expect(answer.status).toBe(may ? 200 : 403)
    expect(served.ran()).toEqual(may ? { asked: 1, handled: 1 } : { asked: 0, handled: 0 })
    expect(hexOf(answer.body) === hexOf(jsonFrames('hello'))).toBe(may)
    const shared = told['origin'] === shop
    expect(answer.headers['access-control-allow-origin']).toBe(shared ? shop : undefined)
    expect(answer.headers['access-control-allow-credentials']).toBe(shared ? 'true' : undefined)
  })

  test('by default, only pages of the server may open channels (WEB-1)', async () => {
    await using served = await counted()
    const status = async (headers: OutgoingHttpHeaders): Promise<unknown> =>
      (await ask(served.at, { ...plain, ...headers }, jsonFrames())).status
    expect(await status({ origin: served.at.origin })).toBe(200)
    expect(await status({ origin: shop })).toBe(403)
  })

  test('is checked on every route, before anything else of the request', async () => {
    await using served = await counted()
    const cross = { origin: shop, 'sec-fetch-site': 'cross-site' }
    for (const headers of [
      { ...plain, ':path': '/greet/ada' },
      { ...plain, ':method': 'GET' },
      { ...plain, ':method': 'OPTIONS', 'access-control-request-method': 'POST' },
      { ...plain, 'content-type': 'text/plain' },
      { ':path': '/echo' },
    ]) {
      expect((await ask(served.at, { ...headers, ...cross })).status).toBe(403)
    }
    expect(served.ran()).toEqual({ asked: 0, handled: 0 })
  })

  test('the default port may be missing, and the pages of a TLS server come over TLS', async () => {
    const statusOf = async (served: Served, authority: string, origin: string): Promise<unknown> =>
      (await ask(served.at, { ...plain, ':authority': authority, origin }, jsonFrames())).status
    // A proxy may terminate TLS in front of a server.
    await using cleartext = await counted()
    expect(await statusOf(cleartext, 'h.example', 'https://h.example')).toBe(200)
    expect(await statusOf(cleartext, 'h.example:443', 'https://h.example')).toBe(200)
    expect(await statusOf(cleartext, 'h.example:80', 'http://h.example')).toBe(200)
    expect(await statusOf(cleartext, 'H.example', 'https://h.example')).toBe(200)
    expect(await statusOf(cleartext, 'h.example:443', 'http://h.example')).toBe(403)
    expect(await statusOf(cleartext, 'inner.example', 'https://h.example')).toBe(403)
    expect(await statusOf(cleartext, 'null', 'null')).toBe(403)
    await using encrypted = await counted(undefined, true)
    expect(await statusOf(encrypted, 'h.example', 'https://h.example')).toBe(200)
    expect(await statusOf(encrypted, 'h.example', 'http://h.example')).toBe(403)
  })
})

describe('a preflight', () => {
  const preflight = {
    ':method': 'OPTIONS',
    ':path': '/echo',
    'sec-fetch-site': 'cross-site',
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'content-type',
  }

  test('of a listed origin is answered, and no user code runs (WEB-2)', async () => {
    await using served = await counted([shop])
    const answer = await ask(served.at, { ...preflight, origin: shop })
    expect(answer).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-origin': shop,
        'access-control-allow-credentials': 'true',
        'access-control-allow-headers': 'content-type',
      },
    })
    expect(answer.body).toHaveLength(0)
    expect(served.ran()).toEqual({ asked: 0, handled: 0 })
  })

  test('of another origin gets 403, and an OPTIONS that is not a preflight gets 405 (WEB-1, WEB-2)', async () => {
    await using served = await counted([shop])
    const refused = await ask(served.at, { ...preflight, origin: 'https://evil.example' })
    expect([refused.status, refused.headers['access-control-allow-origin']]).toEqual([403, undefined])
    const { 'access-control-request-method': _asked, ...options } = preflight
    expect((await ask(served.at, { ...options, origin: shop })).status).toBe(405)
    expect((await ask(served.at, { ':method': 'OPTIONS', ':path': '/echo' })).status).toBe(405)
    expect(served.ran()).toEqual({ asked: 0, handled: 0 })
  })
})

describe('a body that a page may send without a preflight opens no channel, even from a listed origin', () => {
  test.each([
    ['no type', undefined],
    ['text', 'text/plain;charset=UTF-8'],
    ['a form', 'application/x-www-form-urlencoded'],
    ['a form with files', 'multipart/form-data; boundary=x'],
  ])('%s', async (_what, type) => {
    await using served = await counted([shop])
    const answer = await ask(served.at, { ':path': '/echo', 'content-type': type, origin: shop }, jsonFrames(1))
    expect(answer.status).toBe(415)
    expect(served.ran()).toEqual({ asked: 0, handled: 0 })
  })
})

test.each(['GET', 'HEAD', 'OPTIONS', 'TRACE'])(
  '%s opens no channel, and authorize is not called (OPEN-1)',
  async (method) => {
    await using served = await counted()
    const answer = await ask(served.at, { ...plain, ':method': method })
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'POST' } })
    expect(served.ran()).toEqual({ asked: 0, handled: 0 })
  },
)

test.each<[string, OutgoingHttpHeaders, number]>([
  ['to a host', { ':authority': 'h.example:443' }, 404],
  ['with a protocol (RFC 8441)', { ...plain, ':protocol': 'websocket', ':scheme': 'http' }, 405],
])('CONNECT %s opens no channel, and authorize is not called (OPEN-1, TRANS-3)', async (_what, headers, status) => {
  let ran = 0
  const count = (): void => void (ran += 1)
  const server = createServer({ settings: { enableConnectProtocol: true } })
  createRouter({ authorize: count }).handle(echo, count).attach(server)
  const at = await listen(server, undefined)
  await using session = bareSession(at)
  await once(session.http2, 'remoteSettings')
  expect((await session.ask({ ...headers, ':method': 'CONNECT' })).status).toBe(status)
  expect(ran).toBe(0)
  await at.close()
})

test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'QUERY'])('%s opens a channel (OPEN-1)', async (method) => {
  await using served = await counted()
  expect((await ask(served.at, { ...plain, ':method': method }, jsonFrames())).status).toBe(200)
})

test.each([
  ['a path', 'https://shop.example/'],
  ['the default port', 'https://shop.example:443'],
  ['capitals', 'https://SHOP.example'],
  ['no scheme', 'shop.example'],
  ['another scheme', 'file:///'],
  ['null', 'null'],
  ['a wildcard', '*'],
  ['nothing', ''],
  // A program without types may pass this.
  ['a number', 7 as never],
])('origins: %s is invalid', (_what, origin) => {
  const { message } = thrown(() => createRouter({ origins: [shop, origin] }), 'INVALID_ARGUMENT')
  expect(message).toContain(JSON.stringify(origin))
})

test('origins: the error suggests the origin of a URL, and anything but an array is invalid', () => {
  const { message } = thrown(() => createRouter({ origins: ['https://SHOP.example/cart'] }), 'INVALID_ARGUMENT')
  expect(message).toBe('origins: "https://SHOP.example/cart" is not an origin: "https://shop.example" is')
  thrown(() => createRouter({ origins: shop as never }), 'INVALID_ARGUMENT')
})
