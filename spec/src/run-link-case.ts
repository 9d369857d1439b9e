/** Plays one case of a link against a server: one conversation over any number of connections. */
import type { LinkCase, LinkStep } from './cases.ts'
import { Http2Client } from './http2-client.ts'
import type { Target } from './run-case.ts'
import { controlFlag, controlFrame, headersOf, hex, lengthMask, shorten, Violation } from './run-case.ts'

/** How long a step waits for the server. Unit: milliseconds. */
const patience = 5_000
/** How long nothing may come until a server counts as silent. Unit: milliseconds. */
const silence = 500

const ackType = 0x11
const endType = 0x12
const resetType = 0x13
const pingType = 0x14
const pongType = 0x15

/** @throws Violation with the reason, when the server does not do what the case expects. */
export async function runLinkCase(target: Target, one: LinkCase): Promise<void> {
  const play = new LinkPlay(target)
  try {
    for (const [index, step] of one.steps.entries()) {
      await play.step(step).catch((error: unknown) => {
        if (!(error instanceof Violation)) throw error
        throw new Violation(`step ${index + 1}, ${shorten(JSON.stringify(step))}: ${shorten(error.message)}`)
      })
    }
  } finally {
    play.close()
  }
}

/** One connection, and what its records have said. */
class LinkCarrier {
  readonly client: Http2Client
  /** The bytes of the half, out of data records, that were not expected yet. */
  data: Buffer = Buffer.alloc(0)
  acked = -1
  hasEnd = false
  reset: number | undefined
  readonly pongs: string[] = []

  constructor(client: Http2Client) {
    this.client = client
  }

  /** Reads whole records, and answers pings. */
  read(): void {
    for (;;) {
      const { received } = this.client
      if (received.length < 4) return
      const prefix = received.readUInt32BE(0)
      const length = prefix & lengthMask
      if (received.length < 4 + length) return
      this.client.received = received.subarray(4 + length)
      this.#onRecord(prefix >= controlFlag, received.subarray(4, 4 + length))
    }
  }

  #onRecord(isControl: boolean, body: Buffer): void {
    if (!isControl) {
      if (this.hasEnd) throw new Violation('a data record came after the end')
      if (body.length === 0 || body.length > 16_384) throw new Violation(`a data record has ${body.length} bytes`)
      this.data = Buffer.concat([this.data, body])
      return
    }
    const type = body[0]
    if (type === ackType) this.#onAck(Number(body.readBigUInt64BE(1)))
    else if (type === endType) this.hasEnd = true
    else if (type === resetType) this.reset = body.readUInt32BE(1)
    else if (type === pingType) this.client.send(controlFrame(pongType, body.subarray(1)))
    else if (type === pongType) this.pongs.push(body.subarray(1).toString('hex'))
  }

  #onAck(offset: number): void {
    if (offset < this.acked) throw new Violation(`the ack ${offset} came after ${this.acked}`)
    this.acked = offset
  }
}

class LinkPlay {
  readonly #target: Target
  readonly #carriers: LinkCarrier[] = []
  readonly #ids = new Set<string>()
  #id = ''

  constructor(target: Target) {
    this.#target = target
  }

  close(): void {
    for (const { client } of this.#carriers) client.close()
  }

  async step(step: LinkStep): Promise<void> {
    if ('open' in step) return this.#open(step.open, step.status ?? 200, step.received)
    const carrier = this.#carriers.at(-1 - ('before' in step ? 1 : 0))
    if (carrier === undefined) throw new Error('no carrier was opened')
    if ('send' in step) return void carrier.client.send(Buffer.from(hex(step.send), 'hex'))
    if ('lose' in step) return carrier.client.close()
    if ('end' in step) return carrier.client.end()
    if ('receive' in step) return this.#receive(carrier, Buffer.from(hex(step.receive), 'hex'))
    if ('acked' in step) return this.#until(carrier, () => carrier.acked >= step.acked, `an ack of ${step.acked}`)
    if ('ended' in step) return this.#until(carrier, () => carrier.hasEnd, 'its end record')
    if ('pong' in step) return this.#until(carrier, () => carrier.pongs.includes(hex(step.pong)), 'a pong')
    if ('silent' in step) return this.#silent(carrier)
    if ('reset' in step) {
      await this.#until(carrier, () => carrier.reset !== undefined, 'a reset record')
      if (carrier.reset !== step.reset) throw new Violation(`the code of the reset is ${carrier.reset}`)
      return
    }
    return this.#until(carrier, () => carrier.client.ending !== undefined, 'the end of the carrier')
  }

  async #open(link: string, status: number, received: number | undefined): Promise<void> {
    const client = await Http2Client.connect(this.#target.url, this.#target.ca)
    const carrier = new LinkCarrier(client)
    this.#carriers.push(carrier)
    const request = { ':path': '/conformance/echo', h2channel: '1', 'h2channel-link': link.replace('{id}', this.#id) }
    client.request(headersOf(this.#target.url, request), false)
    await this.#until(carrier, () => client.response !== undefined, 'the response')
    const got = client.response?.get(':status')
    if (got !== String(status)) throw new Violation(`the status is ${got}, not ${status}`)
    const answer = client.response?.get('h2channel-link')
    if (status !== 200) {
      if (answer !== undefined) throw new Violation(`the header h2channel-link is ${answer}, not absent`)
      return
    }
    const [id = '', ...parameters] = (answer ?? '').split(';').map((part) => part.trim())
    if (received !== undefined) {
      if (id === this.#id && parameters.includes(`received=${received}`)) return
      throw new Violation(`the header h2channel-link is ${answer}, not the id with received=${received}`)
    }
    const isWhole = ['window', 'timeout'].every((name) => parameters.some((one) => one.startsWith(`${name}=`)))
    if (!/^[\w-]{22,256}$/.test(id) || !isWhole) throw new Violation(`the header h2channel-link is ${answer}`)
    if (this.#ids.has(id)) throw new Violation('the same id came twice')
    this.#ids.add(id)
    this.#id = id
  }

  async #receive(carrier: LinkCarrier, expected: Buffer): Promise<void> {
    await this.#until(carrier, () => carrier.data.length >= expected.length, `${expected.length} bytes`)
    const got = carrier.data.subarray(0, expected.length)
    if (!got.equals(expected)) throw new Violation(`the bytes are ${got.toString('hex')}`)
    carrier.data = carrier.data.subarray(expected.length)
  }

  async #silent(carrier: LinkCarrier): Promise<void> {
    const until = performance.now() + silence
    for (let left = silence; left > 0; left = until - performance.now()) await carrier.client.changes(left)
    if (carrier.data.length > 0) throw new Violation(`${carrier.data.toString('hex')} came beyond the window`)
  }

  async #until(carrier: LinkCarrier, look: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + patience
    for (;;) {
      if (carrier.client.response?.get(':status') === '200') carrier.read()
      if (look()) return
      const { ending, violation } = carrier.client
      if (violation !== undefined) throw new Violation(violation)
      if (ending !== undefined) throw new Violation(`the carrier ended before ${what} came`)
      const left = deadline - performance.now()
      if (left <= 0) throw new Violation(`${what} did not come within ${patience / 1_000} s`)
      await carrier.client.changes(left)
    }
  }
}
