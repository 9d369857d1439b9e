/** A server with a route that a cookie opens and pages of any host, and a browser that resolves all of these hosts. */
import { defineRoute } from '@h2channel/channel'
import { createRouter, Refusal } from '@h2channel/channel/server'
import { json } from '@h2channel/codecs'
import { listen, makeCertificate } from '@h2channel/conn/testing'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { Http2ServerRequest, Http2ServerResponse, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { createSecureServer } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext } from 'playwright-core'
import { chromium } from 'playwright-core'

import { chromiumPath } from './chromium.ts'

/** A bank whose users have a cookie. Each case of a test has its own path. */
export const transfer = defineRoute('/transfer/:what', { client: json(), server: json() })

/** A page's request for `transfer`. */
export interface Seen {
  readonly headers: IncomingHttpHeaders
  /** The status of the answer. */
  readonly status: unknown
}

export interface Site extends AsyncDisposable {
  readonly browser: BrowserContext
  /** The address of a page of this host. */
  page(host: string): string
  /** Waits until a request with this method for `transfer` was answered and has ended. */
  over(what: string, method: string): Promise<Seen>
  /** The calls of `authorize` and the messages of handlers since the last call of this. */
  ran(): readonly string[]
}

export async function startSite(): Promise<Site> {
  let ran: string[] = []
  const [seen, waiting] = [new Map<string, Seen>(), new Map<string, (seen: Seen) => void>()]
  const certificate = await makeCertificate()
  const server = createSecureServer({ ...certificate, allowHTTP1: true })
  const at = await listen(server, certificate)
  const { port } = new URL(at.origin)
  const page = (host: string): string => `https://${host}:${port}/page`

  // Registered before the router: the listeners of `session` run in order.
  server.on('session', (session) => {
    session.prependListener('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      const key = `${headers[':method']} ${headers[':path']}`
      stream.once('close', () => {
        const one = { headers, status: stream.sentHeaders?.[':status'] }
        seen.set(key, one)
        waiting.get(key)?.(one)
      })
    })
  })
  createRouter({
    origins: [new URL(page('shop.test')).origin],
    authorize({ headers, params }) {
      ran.push(`authorize ${params['what']}`)
      if (!/(?:^|; )user=ada(?:;|$)/.test(headers.cookie ?? '')) throw new Refusal(401, 'who are you?')
      return 'ada'
    },
  })
    .handle(transfer, async (channel, { params }) => {
      ran.push(`handle ${params.what}`)
      for await (const message of channel) {
        ran.push(`receive ${JSON.stringify(message)}`)
        await channel.send({ done: message })
      }
    })
    .attach(server)
  server.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
    const cookie = 'user=ada; Path=/; Secure; HttpOnly; SameSite=None'
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      // Logging in at the bank.
      ...(request.authority === `bank.test:${port}` ? { 'set-cookie': cookie } : {}),
    })
    response.end('<!doctype html><title>a page</title>')
  })

  // A user who allows sites to use the cookies of other sites, which makes the attack possible.
  const profile = mkdtempSync(join(tmpdir(), 'h2channel-browser-'))
  mkdirSync(join(profile, 'Default'))
  const preferences = { profile: { cookie_controls_mode: 0, block_third_party_cookies: false } }
  writeFileSync(join(profile, 'Default', 'Preferences'), JSON.stringify(preferences))
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath(),
    args: [
      '--host-resolver-rules=MAP *.test 127.0.0.1',
      '--ignore-certificate-errors',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-gpu',
      '--disable-quic',
      '--disable-sync',
      '--no-first-run',
    ],
  })
  return {
    browser,
    page,
    over(what, method) {
      const key = `${method} /transfer/${what}`
      const one = seen.get(key)
      return one === undefined ? new Promise((resolve) => waiting.set(key, resolve)) : Promise.resolve(one)
    },
    ran() {
      const all = ran
      ran = []
      return all
    },
    async [Symbol.asyncDispose]() {
      await browser.close()
      await at.close()
      rmSync(profile, { recursive: true, force: true })
    },
  }
}
