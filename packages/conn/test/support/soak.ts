/** Random operations on both ends of many pairs of conns, with faults between them, checked by a model. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { getEventListeners, once, setMaxListeners } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import type { Http2Server } from 'node:http2'
import { createServer } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { connect as connectSocket, createServer as createSocketServer } from 'node:net'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import type { CloseTimeouts, Conn, ConnErrorCode, WaitOptions } from '../../src/index.ts'
import { accept, connDefaults, ConnError, connect, fromDuplex, pipe, SessionPool } from '../../src/index.ts'
import type { Cut } from './faults.ts'
import { Faults, faultyJoin, joinConns, planCut, Random } from './faults.ts'
import { startRelay } from './relay.ts'
import { deferred } from './support.ts'

export interface SoakOptions {
  readonly seed: number
  /** How many operations to perform at least. */
  readonly operations: number
  /** Performs those of one world alone. */
  readonly world?: number | undefined
}

export interface SoakResult {
  readonly operations: number
  readonly pairs: number
  readonly cuts: number
  /** How many bytes were read and compared. */
  readonly bytes: number
  /** How often an operation came out as a code, as `done`, or, for the reads, as `bytes` or `end`. */
  readonly outcomes: Readonly<Record<string, number>>
  /** Operations that never came out. */
  readonly outstanding: number
}

/** What carries a pair's bytes. Without faults, nothing is between the ends but what always is. */
type Carrier = 'pipe' | 'faulty pipe' | 'tcp' | 'faulty tcp' | 'h2c' | 'faulty h2c'

/** How many worlds there are at a time. */
const atOnce = 12
/** What never comes in this time hangs. Unit: milliseconds. */
const patience = 30_000
const patternSize = 1024 * 1024
const largestWrite = 256 * 1024

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const run = new Run(options)
  await run.start()
  let next = options.world ?? 0
  const failures: unknown[] = []
  const lane = async (): Promise<void> => {
    while (
      failures.length === 0 &&
      (options.world === undefined ? run.operations < options.operations : next === options.world)
    ) {
      const number = next
      next += 1
      await new World(run, number).live().catch((error: unknown) => {
        failures.push(error)
      })
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  if (failures.length > 0) {
    run.kill()
    throw failures[0]
  }
  await run.end()
  return run
}

/** What all worlds share. */
class Run implements SoakResult {
  readonly seed: number
  /** What every write is cut out of. */
  readonly pattern = Buffer.alloc(patternSize + largestWrite)
  readonly outcomes: Record<string, number> = {}
  readonly server: Http2Server = createServer()
  /** Passed to waits of every pair, and never aborted. */
  readonly neverAborted = new AbortController().signal
  /** Who waits for the server's end of a stream, by path. */
  readonly expected = new Map<string, (accepted: Promise<Conn>) => void>()
  readonly serverTimeouts = new Map<string, CloseTimeouts>()
  operations = 0
  pairs = 0
  cuts = 0
  bytes = 0
  outstanding = 0
  #sessions = new Set<{ destroy(): void }>()
  #hash: string

  constructor({ seed }: SoakOptions) {
    this.seed = seed
    const random = new Random(seed)
    for (let at = 0; at < this.pattern.length; at += 4) this.pattern.writeUInt32LE(random.next(), at)
    this.#hash = this.#hashed()
    setMaxListeners(0, this.neverAborted)
    this.server.on('session', (session) => {
      this.#sessions.add(session)
      session.once('close', () => this.#sessions.delete(session))
    })
    this.server.on('stream', (stream, headers) => {
      const path = headers[':path'] ?? ''
      this.expected.get(path)?.(accept(stream, headers, this.serverTimeouts.get(path)))
    })
  }

  async start(): Promise<void> {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  count(outcome: string): void {
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1
  }

  kill(): void {
    this.server.close()
    for (const session of this.#sessions) session.destroy()
  }

  async end(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve))
    await within(patience, closed, () => `${this.#sessions.size} sessions are left on the server`)
    assert.equal(getEventListeners(this.neverAborted, 'abort').length, 0, 'a signal has listeners left')
    assert.equal(this.#hashed(), this.#hash, 'what was written was changed')
  }

  #hashed(): string {
    return createHash('sha1').update(this.pattern).digest('hex')
  }
}

/** One or more pairs on one carrier: HTTP/2's share a connection. */
class World {
  readonly run: Run
  readonly number: number
  readonly random: Random
  readonly carrier: Carrier
  isCut = false
  readonly #cleanup: (() => Promise<unknown>)[] = []
  #connections = 0

  constructor(run: Run, number: number) {
    this.run = run
    this.number = number
    this.random = new Random(run.seed, number)
    this.carrier = this.random.weighted<Carrier>([
      [2, 'pipe'],
      [3, 'faulty pipe'],
      [2, 'tcp'],
      [4, 'faulty tcp'],
      [3, 'h2c'],
      [6, 'faulty h2c'],
    ])
  }

  async live(): Promise<void> {
    const shared = 1 + this.random.below(4)
    const isHttp2 = this.carrier === 'h2c' || this.carrier === 'faulty h2c'
    const open = isHttp2 ? await this.#http2() : this.carrier.endsWith('tcp') ? this.#tcp : this.#pipe
    const pairs = Array.from({ length: isHttp2 ? shared : 1 }, (_, index) => new Pair(this, index))
    const ended = await Promise.allSettled(
      pairs.map((pair) => pair.live((timeouts) => open.call(this, `/${pair.name}`, timeouts))),
    )
    for (const end of ended) if (end.status === 'rejected') throw end.reason
    for (const clean of this.#cleanup) {
      await within(
        patience,
        clean(),
        () => `seed ${this.run.seed}, world ${this.number} (${this.carrier}) leaves something`,
      )
    }
  }

  /** The faults of both directions of the next connection. */
  #plan(ways: readonly Cut[], cut: (how: Cut) => void): readonly [Faults, Faults] {
    this.#connections += 1
    const of = (direction: number): Random => new Random(this.run.seed, this.number, this.#connections, direction)
    const planned = planCut(of(2), ways)
    const onCut = (how: Cut): void => {
      this.isCut = true
      this.run.cuts += 1
      cut(how)
    }
    const faults = (direction: number): Faults =>
      new Faults(of(direction), planned?.direction === direction ? planned : undefined, onCut)
    return [faults(0), faults(1)]
  }

  async #pipe(_path: string, [left, right]: readonly [CloseTimeouts, CloseTimeouts]): Promise<readonly [Conn, Conn]> {
    if (this.carrier === 'pipe') return pipe(left)
    const [client, near] = pipe(left)
    const [far, server] = pipe(right)
    const faults = this.#plan(['rst'], () => {
      near.abort()
      far.abort()
    })
    const joined = joinConns(near, far, faults)
    this.#cleanup.push(() => joined)
    return [client, server]
  }

  async #tcp(_path: string, [left, right]: readonly [CloseTimeouts, CloseTimeouts]): Promise<readonly [Conn, Conn]> {
    const server = createSocketServer({ allowHalfOpen: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    let { port } = server.address() as AddressInfo
    if (this.carrier === 'faulty tcp') {
      // A FIN in the middle is what TCP's clean end looks like, so that only RST can be told from one.
      const relay = await startRelay(
        port,
        faultyJoin((cut) => this.#plan(['rst'], cut)),
      )
      port = relay.port
      this.#cleanup.push(() => relay.ended())
    }
    const accepted = once(server, 'connection') as Promise<[Socket]>
    const client = fromDuplex(connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true }), left)
    const [socket] = await accepted
    const closed = new Promise((resolve) => server.close(resolve))
    this.#cleanup.push(() => closed)
    return [client, fromDuplex(socket, right)]
  }

  async #http2(): Promise<
    (path: string, timeouts: readonly [CloseTimeouts, CloseTimeouts]) => Promise<readonly [Conn, Conn]>
  > {
    let { port } = this.run
    const sessions = new SessionPool({ closeTimeout: 5_000 })
    this.#cleanup.push(async () => {
      await sessions.close()
      assert.equal(sessions.size, 0, 'sessions are left in the pool')
    })
    if (this.carrier === 'faulty h2c') {
      const relay = await startRelay(
        port,
        faultyJoin((cut) => this.#plan(['fin', 'rst'], cut)),
      )
      port = relay.port
      this.#cleanup.push(() => relay.ended())
    }
    return async (path, [left, right]) => {
      const accepted = deferred<Conn>()
      this.run.serverTimeouts.set(path, right)
      this.run.expected.set(path, (conn) => {
        accepted.resolve(conn)
        // The client may never hear of it, when the connection is cut now.
        this.#cleanup.push(() =>
          conn.then(
            ({ closed }) => closed,
            () => {},
          ),
        )
      })
      this.#cleanup.push(async () => {
        this.run.serverTimeouts.delete(path)
        this.run.expected.delete(path)
      })
      const client = await connect(`http://127.0.0.1:${port}${path}`, { sessions, ...left })
      return [client, await accepted.promise]
    }
  }
}

/** What was written, in order. A write contributes all of its bytes or none. */
interface Write {
  readonly length: number
  /** Where its bytes are in the pattern. */
  readonly from: number
  state: 'waiting' | 'accepted' | 'refused'
  came: number
}

/** Everything that goes from one end to the other. */
class Lane {
  readonly #pattern: Buffer
  readonly #random: Random
  readonly #writes: Write[] = []
  #head = 0
  #hasEnded = false

  constructor(run: Run, random: Random) {
    this.#pattern = run.pattern
    this.#random = random
  }

  add(length: number): { readonly write: Write; readonly bytes: Uint8Array } {
    const from = this.#random.below(patternSize)
    const write: Write = { length, from, state: 'waiting', came: 0 }
    this.#writes.push(write)
    return { write, bytes: this.#pattern.subarray(from, from + length) }
  }

  /** Takes what was read, which must be what comes next of what was accepted. */
  arrive(chunk: Uint8Array): void {
    assert.ok(chunk.length > 0, 'a read gave an empty chunk')
    for (let at = 0; at < chunk.length;) {
      const write = this.#next()
      assert.ok(write !== undefined, `${chunk.length - at} bytes came that were not accepted`)
      const length = Math.min(chunk.length - at, write.length - write.came)
      const start = write.from + write.came
      const isSame = this.#pattern.compare(chunk, at, at + length, start, start + length) === 0
      assert.ok(
        isSame,
        `other bytes came than byte ${write.came} of write ${this.#head}, of ${write.length} bytes, and on`,
      )
      write.came += length
      at += length
    }
  }

  /** The clean end came: what was accepted has come, and what still waits will be refused. */
  end(): void {
    this.#hasEnded = true
    for (let write = this.#next(); write !== undefined; write = this.#next()) {
      assert.ok(
        write.state === 'waiting' && write.came === 0,
        `a clean end came at byte ${write.came} of write ${this.#head}`,
      )
      this.#head += 1
    }
  }

  accept(write: Write): void {
    write.state = 'accepted'
    const isLate = this.#hasEnded && write.came < write.length
    assert.ok(!isLate, 'a write was accepted after the clean end had come')
  }

  /** A write was refused: nothing of it may come, or have come. */
  refuse(write: Write): void {
    write.state = 'refused'
    assert.equal(write.came, 0, 'a write was refused, and its bytes came')
  }

  #next(): Write | undefined {
    for (; ; this.#head += 1) {
      const write = this.#writes[this.#head]
      if (write === undefined || (write.state !== 'refused' && write.came < write.length)) return write
    }
  }
}

/** A conn, what was done to it, and what it reads and writes. */
interface End {
  readonly name: string
  readonly conn: Conn
  readonly incoming: Lane
  readonly outgoing: Lane
  readonly peer: () => End
  endsWriting: boolean
  isClosed: boolean
  /** Why it was aborted first. */
  abortedBy: { readonly reason: unknown } | undefined
  sawEnd: boolean
  /** Reads, in the order in which they were called: what they gave is looked at in that order. */
  readonly reads: { result: Uint8Array | null | 'nothing' | undefined }[]
}

type Action = 'read' | 'reads' | 'write' | 'writes' | 'iterate' | 'closeWrite' | 'close' | 'abort' | 'closed'

const actions: readonly (readonly [number, Action])[] = [
  [300, 'read'],
  [60, 'reads'],
  [300, 'write'],
  [40, 'writes'],
  [50, 'iterate'],
  [8, 'closed'],
  [5, 'closeWrite'],
  [2, 'close'],
  [2, 'abort'],
]

type Giver = 'none' | 'never' | 'before' | 'soon' | 'turn' | 'steps' | 'timeout'

const givers: readonly (readonly [number, Giver])[] = [
  [50, 'none'],
  [15, 'never'],
  [3, 'before'],
  [5, 'soon'],
  [7, 'turn'],
  [15, 'steps'],
  [5, 'timeout'],
]

type Pause = 'none' | 'microtask' | 'turn' | 'time'

const pauses: readonly (readonly [number, Pause])[] = [
  [55, 'none'],
  [20, 'microtask'],
  [24, 'turn'],
  [1, 'time'],
]

const sizes: readonly (readonly [number, number])[] = [
  [10, 0],
  [10, 1],
  [50, 1024],
  [24, 16 * 1024],
  [6, largestWrite],
]

/** How an end brings its pair to the end: by reading to the end, now or when its peer may be gone, or at once. */
type Finish = 'drain' | 'drain late' | 'close' | 'abort'

const finishes: readonly (readonly [number, Finish])[] = [
  [10, 'drain'],
  [4, 'drain late'],
  [4, 'close'],
  [2, 'abort'],
]

class Pair {
  readonly name: string
  readonly #world: World
  readonly #run: Run
  readonly #random: Random
  readonly #log: string[] = []
  readonly #outstanding = new Map<number, string>()
  /** How often it writes rather than reads: where everything is read at once, no write waits for room. */
  readonly #shyness: number
  readonly #signals: AbortSignal[] = []
  readonly #due: { readonly step: number; readonly controller: AbortController }[] = []
  #operations = 0
  #closeTimedOut = false
  #ended = deferred()
  #fail: (error: unknown) => void = () => {}
  #failed = false

  constructor(world: World, index: number) {
    this.name = `${world.number}.${index}`
    this.#world = world
    this.#run = world.run
    this.#random = new Random(world.run.seed, world.number, 1_000 + index)
    this.#shyness = this.#random.weighted([
      [5, 0],
      [3, 0.8],
      [2, 1],
    ])
  }

  /** Lives from connecting to the end. Rejects, with everything that there is to know, when something was wrong. */
  async live(
    open: (timeouts: readonly [CloseTimeouts, CloseTimeouts]) => Promise<readonly [Conn, Conn]>,
  ): Promise<void> {
    const failure = new Promise<never>((_resolve, reject) => {
      this.#fail = reject
    })
    failure.catch(() => {})
    this.#run.pairs += 1
    let conns: readonly [Conn, Conn] | undefined
    try {
      const timeouts = [this.#timeouts(), this.#timeouts()] as const
      conns = await this.#opened(open(timeouts))
      if (conns !== undefined) await Promise.race([this.#play(this.#ends(conns)), failure])
    } catch (error) {
      this.#failed = true
      for (const conn of conns ?? []) conn.abort()
      throw new Error(this.#report(error), { cause: error })
    }
  }

  #report(error: unknown): string {
    const { seed } = this.#run
    const what = error instanceof Error ? error.message : String(error)
    const waiting = [...this.#outstanding.values()]
    return [
      `seed ${seed}, pair ${this.name} (${this.#world.carrier}${this.#world.isCut ? ', cut' : ''}): ${what}`,
      `its last operations:`,
      ...this.#log.slice(-20).map((line) => `  ${line}`),
      `still waiting: ${waiting.length === 0 ? 'none' : waiting.slice(0, 20).join('; ')}`,
      `to replay: H2CHANNEL_SEED=${seed}, and H2CHANNEL_WORLD=${this.#world.number} for these alone`,
    ].join('\n')
  }

  #timeouts(): CloseTimeouts {
    const isShort = this.#random.chance(0.25)
    const closeTimeout = isShort ? 1 + this.#random.below(50) : connDefaults.closeTimeout
    const lingerTimeout = this.#random.chance(0.25) ? 1 + this.#random.below(10) : connDefaults.lingerTimeout
    return { closeTimeout, lingerTimeout }
  }

  async #opened(opening: Promise<readonly [Conn, Conn]>): Promise<readonly [Conn, Conn] | undefined> {
    this.#note('open')
    try {
      const conns = await within(patience, opening, () => 'opening hangs')
      this.#run.count('done')
      return conns
    } catch (error) {
      // A connection that is cut before HTTP/2's first words could be anything.
      const allowed: readonly ConnErrorCode[] = ['CONNECT_FAILED', 'CONNECTION_LOST', 'HTTP2_NOT_SUPPORTED']
      assert.ok(error instanceof ConnError && this.#world.isCut && allowed.includes(error.code), describe(error))
      this.#run.count(error.code)
      return undefined
    }
  }

  #ends([left, right]: readonly [Conn, Conn]): readonly [End, End] {
    const lanes = [0, 1].map(() => new Lane(this.#run, new Random(this.#run.seed, this.#random.next()))) as [Lane, Lane]
    const made = (name: string, conn: Conn, incoming: Lane, outgoing: Lane, peer: () => End): End => ({
      name,
      conn,
      incoming,
      outgoing,
      peer,
      endsWriting: false,
      isClosed: false,
      abortedBy: undefined,
      sawEnd: false,
      reads: [],
    })
    const ends: [End, End] = [
      made('A', left, lanes[0], lanes[1], () => ends[1]),
      made('B', right, lanes[1], lanes[0], () => ends[0]),
    ]
    return ends
  }

  async #play(ends: readonly [End, End]): Promise<void> {
    const random = this.#random
    let over = 0
    const closed = Promise.all(ends.map(({ conn }) => conn.closed))
    let isOver = false
    void closed.then(() => {
      isOver = true
    })
    const steps = 10 + random.scale(600)
    // A few operations after the end, too.
    for (let step = 0; step < steps && over < 5 && !this.#failed; step += 1) {
      if (isOver) over += 1
      this.#abortDue(step)
      this.#act(ends[random.below(2) as 0 | 1], step)
      await this.#rest()
    }
    this.#abortDue(Number.POSITIVE_INFINITY)
    const drained = await Promise.all(ends.map((end) => this.#finish(end, random.weighted(finishes))))
    const settled = Promise.all([closed, this.#settled()])
    const [outcomes] = await within(
      patience,
      settled,
      () => `${this.#outstanding.size} operations hang, or \`closed\` does`,
    )
    for (const [index, end] of ends.entries()) {
      const outcome = outcomes[index]
      assert.ok(outcome !== undefined)
      if (outcome.clean) {
        assert.ok(end.endsWriting, `${end.name} is closed cleanly, and did not end its half`)
        const mayBeClean = end.isClosed || end.peer().endsWriting
        assert.ok(mayBeClean, `${end.name} is closed cleanly, and its peer did not end its half`)
      } else this.#judge(end, 'closed', outcome.error)
      this.#checkDrained(end, drained[index])
    }
    for (const signal of this.#signals) {
      assert.equal(getEventListeners(signal, 'abort').length, 0, 'a signal has listeners left')
    }
    this.#run.outstanding += this.#outstanding.size
  }

  #act(end: End, step: number): void {
    const random = this.#random
    const drawn = random.weighted(actions)
    const isShy = random.chance(this.#shyness) && (drawn === 'read' || drawn === 'reads' || drawn === 'iterate')
    const action = isShy ? 'write' : drawn
    const giver = random.weighted(givers)
    const soon = 1 + random.below(20)
    const times = 2 + random.below(6)
    const largest = random.weighted(sizes)
    const reason = this.#reason(random.below(4))
    const wait = (): WaitOptions & { readonly giver: Giver } => ({ giver, signal: this.#signal(giver, step, soon) })
    const size = (): number => (largest < 2 ? largest : random.scale(largest))
    switch (action) {
      case 'read':
        void this.#read(end, wait())
        break
      case 'reads':
        for (let time = 0; time < times; time += 1) void this.#read(end, wait())
        break
      case 'write':
        this.#write(end, size(), wait())
        break
      case 'writes':
        for (let time = 0; time < times; time += 1) this.#write(end, size(), wait())
        break
      case 'iterate':
        void this.#iterate(end, times)
        break
      case 'closed':
        void this.#track(end, 'closed', end.conn.closed)
        break
      case 'closeWrite':
        end.endsWriting = true
        void this.#track(end, 'closeWrite', end.conn.closeWrite())
        break
      case 'close':
        this.#close(end)
        break
      case 'abort':
        this.#abort(end, reason)
        break
    }
  }

  async #finish(end: End, how: Finish): Promise<unknown> {
    const late = 1 + this.#random.below(20)
    if (how === 'abort') this.#abort(end, undefined)
    else if (how === 'close') this.#close(end)
    if (how === 'abort' || how === 'close') return undefined
    if (how === 'drain late') await setTimeout(late)
    end.endsWriting = true
    void this.#track(end, 'closeWrite', end.conn.closeWrite())
    let last: unknown
    do last = await this.#read(end, { giver: 'none' })
    while (last instanceof Uint8Array)
    this.#close(end)
    return last
  }

  /** An end that read to the end without a disturbance has read everything. */
  #checkDrained(end: End, last: unknown): void {
    if (!(last instanceof ConnError) || last.code === 'CLOSED') return
    const peer = end.peer()
    const isDisturbed =
      this.#world.isCut || this.#closeTimedOut || end.abortedBy !== undefined || peer.abortedBy !== undefined
    // TCP's `close()` may take back what is on its way when it stops waiting for its peer's end.
    const carrier = this.#world.carrier
    const mayLose = (carrier === 'faulty pipe' || carrier.endsWith('tcp')) && (peer.isClosed || end.isClosed)
    assert.ok(isDisturbed || mayLose, `${end.name} read to the end undisturbed, which was ${describe(last)}`)
  }

  #close(end: End): void {
    end.endsWriting = true
    end.isClosed = true
    void this.#track(end, 'close', end.conn.close())
  }

  #abort(end: End, reason: unknown): void {
    this.#note(`${end.name}.abort`)
    end.abortedBy ??= { reason }
    end.conn.abort(reason)
  }

  #reason(kind: number): unknown {
    if (kind === 0) return undefined
    if (kind === 1) return new Error('enough')
    return kind === 2 ? 'a reason' : { rstCode: 42 }
  }

  /** Reads once. Gives what came, or the error. */
  async #read(end: End, options: WaitOptions & { readonly giver: Giver }): Promise<unknown> {
    return this.#taken(end, 'read', options.giver, () => end.conn.read(options))
  }

  /** Calls something that reads, and looks at what it gave once all the reads before have come out. */
  async #taken(
    end: End,
    what: string,
    giver: Giver,
    call: () => Promise<Uint8Array | null>,
  ): Promise<Uint8Array | null | ConnError> {
    const read: { result: Uint8Array | null | 'nothing' | undefined } = { result: undefined }
    end.reads.push(read)
    const result = await this.#track(end, what, call(), giver)
    read.result = result instanceof ConnError ? 'nothing' : result
    for (let first = end.reads[0]; first?.result !== undefined; first = end.reads[0]) {
      end.reads.shift()
      this.#check(() => this.#arrive(end, first.result))
    }
    return result
  }

  #arrive(end: End, result: Uint8Array | null | 'nothing' | undefined): void {
    if (result === 'nothing' || result === undefined) return
    if (result === null) {
      assert.ok(end.peer().endsWriting, `${end.name} read a clean end that its peer did not make`)
      end.incoming.end()
      end.sawEnd = true
      return
    }
    assert.ok(!end.sawEnd, `${end.name} read bytes after the end`)
    end.incoming.arrive(result)
    this.#run.bytes += result.length
  }

  async #iterate(end: End, times: number): Promise<void> {
    const inner = end.conn[Symbol.asyncIterator]()
    const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
      const value = await this.#taken(end, 'next', 'none', async () => {
        const result = await inner.next()
        return result.done === true ? null : result.value
      })
      if (value instanceof ConnError) throw value
      return value === null ? { done: true, value: undefined } : { done: false, value }
    }
    let left = times
    try {
      for await (const chunk of { [Symbol.asyncIterator]: () => ({ next }) }) {
        left -= 1
        if (left === 0 || chunk.length === 0) break
      }
    } catch (error) {
      if (!(error instanceof ConnError)) this.#fail(error)
    }
  }

  #write(end: End, size: number, options: WaitOptions & { readonly giver: Giver }): void {
    const { write, bytes } = end.outgoing.add(size)
    void this.#track(end, `write ${size}`, end.conn.write(bytes, options), options.giver, (refused) => {
      if (refused) end.outgoing.refuse(write)
      else end.outgoing.accept(write)
    })
  }

  /** Follows an operation to how it comes out. Gives that: an error, too. */
  #track<Result>(
    end: End,
    what: string,
    promise: Promise<Result>,
    giver: Giver = 'none',
    settle: (refused: boolean) => void = () => {},
  ): Promise<Result | ConnError> {
    const id = this.#note(`${end.name}.${what}${giver === 'none' ? '' : ` (${giver})`}`)
    this.#outstanding.set(id, this.#log.at(-1) ?? '')
    return promise.then(
      (result) => {
        this.#out(id, result instanceof Uint8Array ? 'bytes' : result === null ? 'end' : 'done')
        this.#check(() => settle(false))
        return result
      },
      (error: unknown) => {
        this.#out(id, error instanceof ConnError ? error.code : 'unknown')
        this.#check(() => {
          settle(true)
          this.#judge(end, what, error, giver)
        })
        return error as ConnError
      },
    )
  }

  #out(id: number, outcome: string): void {
    this.#run.count(outcome)
    this.#outstanding.delete(id)
    if (this.#outstanding.size === 0) this.#ended.resolve()
  }

  #check(check: () => void): void {
    try {
      check()
    } catch (error) {
      this.#fail(error)
    }
  }

  async #settled(): Promise<void> {
    while (this.#outstanding.size > 0) {
      this.#ended = deferred()
      await this.#ended.promise
    }
  }

  /** Whether an error is one that what happened allows. */
  #judge(end: End, what: string, error: unknown, giver: Giver = 'none'): void {
    assert.ok(error instanceof ConnError, `${end.name}.${what} failed with what is no ConnError: ${describe(error)}`)
    const peer = end.peer()
    const { carrier, isCut } = this.#world
    const peerBroke = peer.abortedBy !== undefined || peer.isClosed
    if (error.code === 'CLOSE_TIMEOUT') this.#closeTimedOut = true
    const isReading = what === 'read' || what === 'next'
    const allowed: Partial<Record<ConnErrorCode, boolean>> = {
      CANCELLED: giver !== 'none' && giver !== 'never' && giver !== 'timeout',
      TIMEOUT: giver === 'timeout',
      CLOSED: isReading ? end.isClosed : what.startsWith('write') && end.endsWriting,
      ABORTED: end.abortedBy !== undefined && error.cause === end.abortedBy.reason,
      CLOSE_TIMEOUT: end.isClosed,
      RESET:
        carrier === 'pipe' || carrier.endsWith('h2c')
          ? peerBroke
          : carrier === 'faulty pipe' && (peerBroke || end.isClosed || isCut),
      CONNECTION_LOST: carrier.endsWith('tcp') ? peerBroke || isCut : carrier === 'faulty h2c' && isCut,
    }
    assert.ok(allowed[error.code] === true, `${end.name}.${what} failed as nothing explains: ${describe(error)}`)
  }

  #signal(giver: Giver, step: number, soon: number): AbortSignal | undefined {
    if (giver === 'none') return undefined
    if (giver === 'never') return this.#run.neverAborted
    if (giver === 'timeout') return this.#kept(AbortSignal.timeout(soon % 6))
    const controller = new AbortController()
    const abort = (): void => controller.abort()
    if (giver === 'before') abort()
    else if (giver === 'soon') queueMicrotask(abort)
    else if (giver === 'turn') void setImmediate().then(abort)
    else this.#due.push({ step: step + soon, controller })
    return this.#kept(controller.signal)
  }

  #kept(signal: AbortSignal): AbortSignal {
    this.#signals.push(signal)
    return signal
  }

  #abortDue(now: number): void {
    for (let at = this.#due.length - 1; at >= 0; at -= 1) {
      const due = this.#due[at]
      if (due === undefined || due.step > now) continue
      this.#due.splice(at, 1)
      due.controller.abort()
    }
  }

  async #rest(): Promise<void> {
    const pause = this.#random.weighted(pauses)
    const ms = 1 + this.#random.below(3)
    if (pause === 'microtask') await Promise.resolve()
    else if (pause === 'turn') await setImmediate()
    else if (pause === 'time') await setTimeout(ms)
  }

  #note(line: string): number {
    this.#operations += 1
    this.#run.operations += 1
    this.#log.push(`${this.#operations}: ${line}`)
    if (this.#log.length > 200) this.#log.splice(0, 100)
    return this.#operations
  }
}

function describe(error: unknown): string {
  return error instanceof ConnError ? `${error.code}: ${error.message}` : String(error)
}

/** Waits, but not for ever. */
async function within<Value>(ms: number, promise: Promise<Value>, message: () => string): Promise<Value> {
  const over = new AbortController()
  const late = setTimeout(ms, undefined, { signal: over.signal }).then(
    () => {
      throw new Error(message())
    },
    () => new Promise<never>(() => {}),
  )
  try {
    return await Promise.race([promise, late])
  } finally {
    over.abort()
  }
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What is in use once nothing moves any more. Unit: bytes. */
export async function heapUsed(): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < 4; round += 1) {
    // What a collection sets free may be finalized in a later turn.
    await setImmediate()
    collect()
    least = Math.min(least, process.memoryUsage().heapUsed)
  }
  return least
}

/**
 * What is held beyond what was held before, once nothing moves any more: a socket that was closed a moment ago is still
 * counted. It waits in turns, since a timer would be counted, too.
 */
export async function leftSince(before: Readonly<Record<string, number>>): Promise<Readonly<Record<string, number>>> {
  for (let turn = 0; ; turn += 1) {
    const more = Object.entries(resources()).filter(([kind, count]) => count > (before[kind] ?? 0))
    if (more.length === 0 || turn === 10_000) return Object.fromEntries(more)
    await setImmediate()
  }
}

/** How many resources of the system are held, by kind, and how many file descriptors. */
export function resources(): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) {
    if (/^(TCP|TLS|HTTP2|Timeout|Immediate|Pipe|GetAddrInfo)/.test(kind)) counts[kind] = (counts[kind] ?? 0) + 1
  }
  if (existsSync('/proc/self/fd')) counts['descriptors'] = readdirSync('/proc/self/fd').length
  return counts
}
