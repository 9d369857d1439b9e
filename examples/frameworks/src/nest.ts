/** NestJS on Fastify. */
import { createRouter } from '@h2channel/channel/server'
import type { BeforeApplicationShutdown, OnModuleInit } from '@nestjs/common'
import { Controller, Get, Inject, Injectable, Module } from '@nestjs/common'
import { HttpAdapterHost, NestFactory } from '@nestjs/core'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import type { Http2SecureServer } from 'node:http2'

import { greet } from './greet.ts'
import { greetings } from './routes.ts'
import { announce, certificate, port } from './setup.ts'

@Controller()
class HelloController {
  @Get('hello')
  hello(): string {
    return 'hello\n'
  }
}

/** Attaches the channels when the application starts, and lets them end before it stops. */
@Injectable()
class Channels implements OnModuleInit, BeforeApplicationShutdown {
  readonly #router = createRouter()
  readonly #host: HttpAdapterHost

  constructor(@Inject(HttpAdapterHost) host: HttpAdapterHost) {
    this.#host = host
    this.#router.handle(greetings, greet)
  }

  onModuleInit(): void {
    const server: Http2SecureServer = this.#host.httpAdapter.getHttpServer()
    this.#router.attach(server)
  }

  // Not `onApplicationShutdown`: by then Nest has closed its server.
  async beforeApplicationShutdown(): Promise<void> {
    await this.#router.drain()
  }
}

@Module({ controllers: [HelloController], providers: [Channels] })
class AppModule {}

const adapter = new FastifyAdapter({ http2: true, https: { ...certificate, allowHTTP1: true } })
const app = await NestFactory.create<NestFastifyApplication>(AppModule, adapter)
await app.listen(port, '127.0.0.1')
announce(app.getHttpServer())

process.once('SIGTERM', () => void app.close())
