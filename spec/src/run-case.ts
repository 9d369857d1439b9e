/** Plays one case against a server. */
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'

import { msgpack } from '@h2channel/codecs'

import type { Answer, Case, Level, Message, RequestLine, Step } from './cases.ts'
import type { Ending, Headers } from './http2-client.ts'
import { Http2Client } from './http2-client.ts'

/** A rule that a server breaks. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** How long a step waits for the server. Unit: milliseconds. */
const patience = 5_000
/** How often a refused client sends on. Unit: milliseconds. */
const sendingInterval = 50
/** How long nothing may be accepted until a flood counts as held back. */
const stall = 1_000

export const controlFlag = 0x8000_0000
export const lengthMask = 0x3fff_ffff
const types = { 1: 'close', 2: 'stop', 3: 'ping', 4: 'pong', 5: 'draining' } as const

/**
 * The codes of RST_STREAM for the codes of `close` (ERR-1). Any other is CANCEL. Written here again, since a judge that
 * took them from the package would not notice a wrong one.
 */
const rstCodes: Readonly<Record<string, number>> = {
  INVALID_MESSAGE: 1,
  INVALID_FRAME: 1,
  TRUNCATED_FRAME: 1,
  INTERNAL: 2,
  MESSAGE_TOO_LARGE: 6,
  GOING_AWAY: 0x6832_0001,
  RATE_LIMITED: 0x6832_0002,
  UNAUTHENTICATED: 0x6832_0003,
  PEER_TOO_SLOW: 0x6832_0004,
}
const cancel = 8
const noError = 0

/** The headers of every request. A case replaces or removes them. */
const defaults = {
  ':method': 'POST',
  'content-type': 'application/vnd.h2channel+json',
  accept: 'application/vnd.h2channel+json',
}

export interface Target {
  readonly url: URL
  /** The authority that signed the server's certificate, as PEM. */
  readonly ca?: string | undefined
  /** The level that the server claims. A minimal one need not choose the code of a reset. */
  readonly level: Level
}

/** @throws Violation with the reason, when the server does not do what the case expects. */
export async function runCase(target: Target, one: Case): Promise<void> {
  const client = await Http2Client.connect(target.url, target.ca)
  try {
    await new Play(client, target, one).run()
  } finally {
    client.close()
  }
}

type Frame = {
  readonly type: 'message' | 'close' | 'stop' | 'ping' | 'pong' | 'draining' | 'other'
  readonly body: Buffer
}

class Play {
  readonly #client: Http2Client
  readonly #target: Target
  readonly #case: Case
  #patience = patience

  constructor(client: Http2Client, target: Target, one: Case) {
    this.#client = client
    this.#target = target
    this.#case = one
  }

  async run(): Promise<void> {
    const { request, answer = {}, steps = [] } = this.#case
    const { body, end = false } = request
    this.#client.request(headersOf(this.#target.url, request), end && body === undefined)
    if (body !== undefined) {
      this.#client.send(Buffer.from(hex(body), 'hex'))
      if (end) this.#client.end()
    }
    await this.#answer([answer].flat())
    for (const [index, step] of steps.entries()) {
      this.#patience = step.within === undefined ? patience : step.within * 1_000
      await this.#step(step).catch((error: unknown) => {
        if (error instanceof Violation)
          throw new Violation(`step ${index + 1}, ${shorten(JSON.stringify(step))}: ${shorten(error.message)}`)
        throw error
      })
    }
    // What follows an end may be wrong, too.
    if (this.#client.ending === 'END_STREAM') await this.#client.settled()
    this.#check()
  }

  async #answer(answers: readonly Answer[]): Promise<void> {
    const response = await this.#until(() => this.#client.response ?? this.#isRefusedByLibrary(answers), 'the response')
    if (response === true) return
    const got = response.get(':status')
    const answer = answers.find(({ status = 200 }) => String(status) === got)
    if (answer === undefined) {
      const wanted = answers.map(({ status = 200 }) => status).join(' or ')
      throw new Violation(`the status is ${got}, not ${wanted}${this.#text()}`)
    }
    for (const [name, value] of Object.entries(answer.headers ?? {})) {
      const actual = response.get(name)
      if (actual === (value ?? undefined)) continue
      throw new Violation(`the header ${name} is ${actual ?? 'absent'}, not ${value ?? 'absent'}`)
    }
  }

  /** A library that refuses a path resets its stream (PATH-4). */
  #isRefusedByLibrary(answers: readonly Answer[]): true | undefined {
    const { ending } = this.#client
    if (this.#target.level !== 'minimal' || typeof ending !== 'object' || !('rstCode' in ending)) return undefined
    return answers.some(({ orReset }) => orReset === ending.rstCode) || undefined
  }

  #check(): void {
    const { violation } = this.#client
    if (violation !== undefined) throw new Violation(violation)
  }

  async #step(step: Step): Promise<void> {
    if ('send' in step) return this.#send(bytesOf(step.send), step.split)
    if ('sendLine' in step) return this.#send(Buffer.from(`${step.sendLine}\n`))
    if ('end' in step) return this.#client.end(step.end === true ? undefined : Object.entries(step.end.trailers))
    if ('reset' in step) return this.#client.reset()
    if ('receive' in step) return this.#receive(step.receive)
    if ('receiveBytes' in step) return this.#receiveBytes(Buffer.from(hex(step.receiveBytes), 'hex'))
    if ('receiveLine' in step) return this.#receiveLine(step.receiveLine)
    if ('receiveControl' in step) return this.#receiveControl(step.receiveControl)
    if ('receiveError' in step) return this.#receiveError(step.receiveError)
    if ('receiveEnd' in step) return this.#receiveEnd()
    if ('receiveClose' in step) return this.#receiveError(step.receiveClose, true)
    if ('refused' in step) return this.#refused(step.refused)
    return this.#flood(step.flood.most)
  }

  async #send(bytes: Uint8Array, size?: number): Promise<void> {
    let sent = 0
    await this.#until(() => {
      sent += this.#client.send(bytes.subarray(sent), size)
      return sent === bytes.length || this.#client.ending !== undefined || undefined
    }, 'credit to send')
  }

  async #receive(expected: Message | { readonly message: string } | { readonly msgpack: string }): Promise<void> {
    const { type, body } = await this.#frame()
    if (type !== 'message') throw new Violation(`a control frame came: ${type} ${body.toString('hex')}`)
    if ('message' in expected) {
      if (body.equals(Buffer.from(hex(expected.message), 'hex'))) return
      throw new Violation(`the message is ${body.toString('hex')}`)
    }
    if ('msgpack' in expected) {
      if (isDeepStrictEqual(unpack(body), unpack(Buffer.from(hex(expected.msgpack), 'hex')))) return
      throw new Violation(`the message is ${body.toString('hex')}`)
    }
    const value = parseJson(body.toString())
    if (!isDeepStrictEqual(value, valueOf(expected))) throw new Violation(`the message is ${body.toString()}`)
  }

  async #receiveBytes(expected: Buffer): Promise<void> {
    const got = await this.#until(() => this.#take(expected.length), `${expected.length} bytes`)
    if (!got.equals(expected)) throw new Violation(`the bytes are ${got.toString('hex')}`)
  }

  async #receiveLine(expected: unknown): Promise<void> {
    const line = await this.#until(() => {
      const length = this.#client.received.indexOf('\n')
      return length < 0 ? undefined : this.#take(length + 1)?.toString()
    }, 'a line')
    if (!isDeepStrictEqual(parseJson(line), expected)) throw new Violation(`the line is ${line}`)
  }

  async #receiveControl(expected: 'stop' | 'draining' | 'ping' | { readonly pong: string }): Promise<void> {
    const { type, body } = await this.#frame(expected === 'ping')
    const wanted = typeof expected === 'string' ? expected : 'pong'
    if (type !== wanted) throw new Violation(`it is ${type} ${body.toString('hex')}`)
    // Without an answer, the client would be silent (PING-4).
    if (type === 'ping') await this.#send(controlFrame(4, body))
    if (typeof expected !== 'string' && !body.equals(Buffer.from(hex(expected.pong), 'hex'))) {
      throw new Violation(`the pong has the bytes ${body.toString('hex')}`)
    }
  }

  async #receiveEnd(): Promise<void> {
    const ending = await this.#ending()
    if (ending !== 'END_STREAM') throw new Violation(`its half ended by ${describe(ending)}`)
    for (let frame = this.#nextFrame(); frame !== undefined; frame = this.#nextFrame()) {
      if (frame.type !== 'message' && frame.type !== 'close') continue
      throw new Violation(`${frame.type} ${frame.body.toString('hex')} came before the end`)
    }
    const { received } = this.#client
    if (received.length > 0) throw new Violation(`${received.toString('hex')} came before the end`)
  }

  /** The body of a refusal is text, which may say anything but what failed. */
  async #refused(seconds: number): Promise<void> {
    const message = bytesOf({ json: 'x' })
    for (const until = performance.now() + seconds * 1_000; performance.now() < until;) {
      if (this.#client.ending !== 'END_STREAM' && this.#client.ending !== undefined) break
      this.#check()
      this.#client.send(message)
      await delay(sendingInterval)
    }
    const { ending } = this.#client
    if (typeof ending === 'object') throw new Violation(`after the answer, its half ended by ${describe(ending)}`)
    if (this.#client.wasReset) throw new Violation(`it reset the stream within ${seconds} s after the answer`)
    const end = await this.#ending()
    if (end !== 'END_STREAM') throw new Violation(`its half ended by ${describe(end)}`)
  }

  /** Messages that the server sent earlier may precede the error. */
  async #receiveError(code: string, isClose = false): Promise<void> {
    const ending = await this.#ending()
    for (let frame = this.#nextFrame(); frame !== undefined; frame = this.#nextFrame()) {
      if (frame.type !== 'close') continue
      const [length = 0] = frame.body
      const got = frame.body.subarray(1, 1 + length).toString()
      if (got !== code) throw new Violation(`the code of close is ${got}`)
      const reason = frame.body.subarray(1 + length).toString()
      if (reason.includes('secret')) throw new Violation(`the reason shows what failed: ${reason}`)
      if (ending !== 'END_STREAM') {
        throw new Violation(`after close, its half ended by ${describe(ending)}`)
      }
      return
    }
    if (ending === 'END_STREAM' || 'lost' in ending || isClose) {
      throw new Violation(`its half ended by ${describe(ending)}${isClose ? ', without close' : ''}`)
    }
    const wanted = rstCodes[code] ?? cancel
    const isKnown = this.#target.level === 'minimal' ? ending.rstCode !== noError : ending.rstCode === wanted
    if (!isKnown) throw new Violation(`the code of the reset is ${ending.rstCode}, not ${wanted}`)
  }

  /** Sends while there is credit, and reads nothing. */
  async #flood(most: number): Promise<void> {
    this.#client.givesCredit = false
    const message = bytesOf({ json: 'x'.repeat(16_000) })
    let sent = 0
    for (let rest = message; ;) {
      const count = this.#client.send(rest)
      sent += count
      if (sent > most) throw new Violation(`it accepted ${sent} bytes while its own messages were not read`)
      rest = count === rest.length ? message : rest.subarray(count)
      if (count > 0) continue
      if (this.#client.ending !== undefined) throw new Violation(`its half ended by ${describe(this.#client.ending)}`)
      if (!(await this.#client.changes(stall))) return
    }
  }

  #ending(): Promise<Ending> {
    return this.#until(() => this.#client.ending, 'its end')
  }

  /** The next frame. Pings are answered and passed over, unless they are wanted. */
  async #frame(wantsPing = false): Promise<Frame> {
    for (;;) {
      const frame = await this.#until(() => this.#nextFrame() ?? this.#noMore(), 'a frame')
      if (frame.type !== 'ping' || wantsPing) return frame
      await this.#send(controlFrame(4, frame.body))
    }
  }

  #noMore(): undefined {
    const { ending, received } = this.#client
    if (ending === undefined) return undefined
    throw new Violation(`its half ended by ${describe(ending)}${received.length > 0 ? ' inside a frame' : ''}`)
  }

  #nextFrame(): Frame | undefined {
    const { received } = this.#client
    if (received.length < 4) return undefined
    const prefix = received.readUInt32BE(0)
    const frame = this.#take(4 + (prefix & lengthMask))
    if (frame === undefined) return undefined
    if (prefix < controlFlag) return { type: 'message', body: frame.subarray(4) }
    const type = types[frame[4] as keyof typeof types] ?? 'other'
    return { type, body: frame.subarray(5) }
  }

  #take(length: number): Buffer | undefined {
    const { received } = this.#client
    if (received.length < length) return undefined
    this.#client.received = received.subarray(length)
    return received.subarray(0, length)
  }

  #text(): string {
    const { received } = this.#client
    return received.length === 0 ? '' : `: ${received.toString().slice(0, 200).trim()}`
  }

  async #until<T>(look: () => T | undefined, what: string): Promise<T> {
    const deadline = performance.now() + this.#patience
    for (;;) {
      const found = look()
      if (found !== undefined && found !== false) return found
      this.#check()
      const { ending } = this.#client
      if (typeof ending === 'object' && 'lost' in ending)
        throw new Violation(`while waiting for ${what}: ${ending.lost}`)
      if (ending !== undefined && what === 'the response') throw new Violation(`no response: ${describe(ending)}`)
      const left = deadline - performance.now()
      if (left <= 0) throw new Violation(`${what} did not come within ${this.#patience / 1_000} s`)
      await this.#client.changes(left)
    }
  }
}

export function headersOf(url: URL, request: RequestLine): Headers {
  const { end: _end, body: _body, ...own } = request
  const origin = `${url.protocol}//${url.host}`
  const base = { ':scheme': url.protocol.slice(0, -1), ':authority': url.host, ...defaults, ...own }
  const prefix = url.pathname.replace(/\/$/, '')
  const all = Object.entries(base).flatMap(([name, value]) =>
    (Array.isArray(value) ? (value as readonly string[]) : [value])
      .filter((one): one is string => typeof one === 'string')
      .map((one): [string, string] => [name, (name === ':path' ? prefix + one : one).replace('{origin}', origin)]),
  )
  // Pseudo-headers come first (RFC 9113, section 8.3).
  return [...all.filter(([name]) => name.startsWith(':')), ...all.filter(([name]) => !name.startsWith(':'))]
}

function valueOf(message: Message): unknown {
  return 'json' in message ? message.json : message.repeat[0].repeat(message.repeat[1])
}

function bytesOf(what: string | Message): Buffer {
  if (typeof what === 'string') return Buffer.from(hex(what), 'hex')
  const body = Buffer.from(JSON.stringify(valueOf(what)))
  const prefix = Buffer.alloc(4)
  prefix.writeUInt32BE(body.length)
  return Buffer.concat([prefix, body])
}

export function controlFrame(type: number, body: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE((controlFlag | (body.length + 1)) >>> 0)
  prefix[4] = type
  return Buffer.concat([prefix, body])
}

export function hex(spaced: string): string {
  return spaced.replaceAll(' ', '')
}

function unpack(body: Uint8Array): unknown {
  try {
    return msgpack().decode(body)
  } catch {
    throw new Violation(`${Buffer.from(body).toString('hex')} is no MessagePack object`)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Violation(`${JSON.stringify(text)} is no JSON text`)
  }
}

export function shorten(text: string): string {
  return text.length <= 300 ? text : `${text.slice(0, 300)}…`
}

function describe(ending: Ending): string {
  if (ending === 'END_STREAM') return ending
  return 'lost' in ending ? ending.lost : `RST_STREAM with code ${ending.rstCode}`
}
