/** The second way of the README: `router.accept` within the code that each framework runs before its handlers. */
import { createClient } from '@h2channel/channel/client'
import type { Router } from '@h2channel/channel/server'
import { createRouter } from '@h2channel/channel/server'
import type { Certificate } from '@h2channel/conn/testing'
import { listen, makeCertificate } from '@h2channel/conn/testing'
import type { Http2Bindings } from '@hono/node-server'
import { getRequestListener } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { fastify } from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { once } from 'node:events'
import type { Http2SecureServer } from 'node:http2'
import { connect, createSecureServer } from 'node:http2'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'

import { greet } from '../src/greet.ts'
import { greetings } from '../src/routes.ts'

type MakeServer = (
  router: Router,
  certificate: Certificate,
  seen: string[],
) => Http2SecureServer | Promise<Http2SecureServer>

const bare: MakeServer = (router, certificate, seen) =>
  createSecureServer({ ...certificate, allowHTTP1: true }, (request, response) => {
    seen.push(request.url)
    if (router.accept(request, response)) return
    response.end('hello\n')
  })

const onFastify: MakeServer = async (router, certificate, seen) => {
  const app = fastify({ http2: true, https: { ...certificate, allowHTTP1: true } })
  app.addHook('onRequest', async (request, reply) => {
    seen.push(request.url)
    if (router.accept(request.raw, reply.raw)) reply.hijack()
  })
  app.get('/hello', () => 'hello\n')
  await app.ready()
  return app.server
}

const onKoa: MakeServer = (router, certificate, seen) => {
  const app = new Koa()
  app.use(async (context, next) => {
    seen.push(context.url)
    if (router.accept(context.req, context.res)) context.respond = false
    else await next()
  })
  app.use((context) => {
    context.body = 'hello\n'
  })
  // oxlint-disable-next-line typescript/no-misused-promises -- this promise never rejects: Koa answers errors itself.
  return createSecureServer({ ...certificate, allowHTTP1: true }, app.callback())
}

const onHono: MakeServer = (router, certificate, seen) => {
  const app = new Hono<{ Bindings: Http2Bindings }>()
  app.use(async (context, next) => {
    seen.push(context.req.path)
    if (router.accept(context.env.incoming, context.env.outgoing)) return RESPONSE_ALREADY_SENT
    return next()
  })
  app.get('/hello', (context) => context.text('hello\n'))
  const listener = getRequestListener(app.fetch, { autoCleanupIncoming: false })
  // oxlint-disable-next-line typescript/no-misused-promises -- this promise never rejects: Hono answers errors itself.
  return createSecureServer({ ...certificate, allowHTTP1: true }, listener)
}

test.each([
  { name: 'bare', make: bare },
  { name: 'Fastify', make: onFastify },
  { name: 'Koa', make: onKoa },
  { name: 'Hono', make: onHono },
])('$name: channels pass through what comes before the handlers', async ({ make }) => {
  const seen: string[] = []
  const certificate = await makeCertificate()
  const router = createRouter().handle(greetings, greet)
  await using server = await listen(await make(router, certificate, seen), certificate)
  await using client = createClient(server.origin, { tls: server.tls })

  await using channel = await client.open(greetings, { params: { language: 'de' } })
  await channel.send({ name: 'Ada' })
  expect(await channel.receive()).toEqual({ text: 'Guten Tag, Ada!' })

  const session = connect(server.origin, server.tls)
  expect(await text(session.request({ ':path': '/hello' }))).toBe('hello\n')
  session.close()
  await once(session, 'close')

  // By now the framework has finished with the channel's request.
  await channel.send({ name: 'Grace' })
  expect(await channel.receive()).toEqual({ text: 'Guten Tag, Grace!' })
  await channel.end()
  expect(await channel.receive()).toBeUndefined()
  expect(await channel.closed).toEqual({ clean: true })
  expect(seen).toEqual(['/greetings/de', '/hello'])
})
