import { getEventListeners } from 'node:events'
import { describe, expect, it, vi } from 'vitest'

import { ConnError, StreamConn } from '../../src/web.ts'
import type { CloseTimeouts, Transport, TransportEvents } from '../../src/web.ts'
import { bytes, failure, text } from '../support/support.ts'

// These tests move the clock, and the module would use the real timers of when it was loaded.
vi.mock('../../src/runtime/timers.ts', async (original) => ({
  ...(await original<Record<string, unknown>>()),
  setTimeout: (task: () => void, delay: number) => globalThis.setTimeout(task, delay),
  clearTimeout: (timer: NodeJS.Timeout | undefined) => globalThis.clearTimeout(timer),
  now: () => performance.now(),
}))

/** Records every call and does nothing else: the test acts as the network. */
class ScriptedTransport implements Transport {
  readonly calls: string[] = []
  readonly readAhead: number
  room = true
  /** The callbacks of the writes that want to know when they are handed on. */
  readonly done: ((isReleased: boolean) => void)[] = []
  #events: TransportEvents | undefined

  constructor(readAhead: number) {
    this.readAhead = readAhead
  }

  get network(): TransportEvents {
    if (this.#events === undefined) throw new Error('not started')
    return this.#events
  }

  start(events: TransportEvents): void {
    this.#events = events
  }
  resume(): void {
    this.calls.push('resume')
  }
  pause(): void {
    this.calls.push('pause')
  }
  write(chunk: Uint8Array, done?: (isReleased: boolean) => void): boolean {
    this.calls.push(`write ${text(chunk)}`)
    if (done !== undefined) this.done.push(done)
    return this.room
  }
  end(): void {
    this.calls.push('end')
  }
  destroy(error: ConnError | null): void {
    this.calls.push(`destroy ${error === null ? 'null' : error.code}`)
  }
}

function scripted(
  timeouts?: CloseTimeouts,
  readAhead = 0,
): {
  conn: StreamConn
  transport: ScriptedTransport
  network: TransportEvents
} {
  const transport = new ScriptedTransport(readAhead)
  const conn = new StreamConn(transport, timeouts)
  return { conn, transport, network: transport.network }
}

const lost = new ConnError('CONNECTION_LOST', 'the network is gone')

/** Both halves end without an error, then the transport closes. */
function endBoth(network: TransportEvents): void {
  network.end()
  network.finish()
  network.close(lost)
}

describe('read', () => {
  it('serves concurrent reads in the order in which they were called', async () => {
    const { conn, network } = scripted()
    const reads = [conn.read(), conn.read(), conn.read()]
    for (const chunk of ['a', 'b', 'c']) network.chunk(bytes(chunk))
    expect((await Promise.all(reads)).map(text)).toEqual(['a', 'b', 'c'])
  })

  it('asks for chunks only while a read waits, and holds chunks that come nevertheless', async () => {
    const { conn, transport, network } = scripted()
    expect(transport.calls).toEqual([])
    const first = conn.read()
    expect(transport.calls).toEqual(['resume'])
    for (const chunk of ['a', 'b', 'c']) network.chunk(bytes(chunk))
    expect(transport.calls).toEqual(['resume', 'pause'])
    expect(text(await first)).toBe('a')
    expect([text(await conn.read()), text(await conn.read())]).toEqual(['b', 'c'])
    expect(transport.calls).toEqual(['resume', 'pause'])
    const next = conn.read()
    expect(transport.calls).toEqual(['resume', 'pause', 'resume'])
    network.chunk(bytes('d'))
    expect(text(await next)).toBe('d')
  })

  it('lets a transport deliver its `readAhead` in advance, and then pauses it', async () => {
    const { conn, transport, network } = scripted({}, 4)
    const first = conn.read()
    for (const chunk of ['a', 'bb']) network.chunk(bytes(chunk))
    expect(transport.calls).toEqual(['resume'])
    network.chunk(bytes('cc'))
    expect(transport.calls).toEqual(['resume', 'pause'])
    network.chunk(bytes('d'))
    const reads = await Promise.all([first, conn.read(), conn.read(), conn.read()])
    expect(reads.map(text)).toEqual(['a', 'bb', 'cc', 'd'])
    expect(transport.calls).toEqual(['resume', 'pause'])
    const next = conn.read()
    expect(transport.calls).toEqual(['resume', 'pause', 'resume'])
    for (const chunk of ['e', 'fff']) network.chunk(bytes(chunk))
    expect(text(await next)).toBe('e')
    // What was read no longer counts.
    expect(transport.calls).toEqual(['resume', 'pause', 'resume'])
    network.chunk(bytes('g'))
    expect(transport.calls).toEqual(['resume', 'pause', 'resume', 'pause'])
  })

  it('holds no more than 32 chunks, however small they are', () => {
    const { conn, transport, network } = scripted({}, 1024 * 1024)
    void conn.read()
    for (let count = 0; count <= 31; count += 1) network.chunk(bytes('a'))
    expect(transport.calls).toEqual(['resume'])
    network.chunk(bytes('a'))
    expect(transport.calls).toEqual(['resume', 'pause'])
  })

  it('skips empty chunks', async () => {
    const { conn, network } = scripted()
    const read = conn.read()
    network.chunk(new Uint8Array(0))
    network.chunk(bytes('a'))
    expect(text(await read)).toBe('a')
  })

  it('returns what was held before the end, then null for every read', async () => {
    const { conn, network } = scripted()
    network.chunk(bytes('a'))
    network.end()
    expect([text(await conn.read()), await conn.read(), await conn.read()]).toEqual(['a', null, null])
  })

  it('wakes every waiting read at the end', async () => {
    const { conn, network } = scripted()
    const reads = Promise.all([conn.read(), conn.read()])
    network.end()
    network.end()
    expect(await reads).toEqual([null, null])
  })

  it.each([
    { name: 'CANCELLED', reason: new Error('enough'), code: 'CANCELLED' as const },
    { name: 'TIMEOUT', reason: new DOMException('late', 'TimeoutError'), code: 'TIMEOUT' as const },
  ])('is given up with $name and its reason as the cause, and loses nothing', async ({ reason, code }) => {
    const { conn, network } = scripted()
    const giveUp = new AbortController()
    const removed = vi.spyOn(giveUp.signal, 'removeEventListener')
    const [first, second] = [conn.read({ signal: giveUp.signal }), conn.read()]
    giveUp.abort(reason)
    expect(await failure(first, code)).toMatchObject({ cause: reason, side: 'local', fatal: false })
    network.chunk(bytes('a'))
    network.chunk(bytes('b'))
    expect(text(await second)).toBe('a')
    await failure(conn.read({ signal: giveUp.signal }), code)
    expect(text(await conn.read())).toBe('b')
    expect(removed).not.toHaveBeenCalled()
  })

  it('removes its listener from the signal once it was served or has failed', async () => {
    const { conn, network } = scripted()
    const { signal } = new AbortController()
    const [served, failed] = [conn.read({ signal }), conn.read({ signal })]
    network.chunk(bytes('a'))
    await served
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    network.close(lost)
    await failure(failed, 'CONNECTION_LOST')
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})

describe('write', () => {
  it('hands on at once while there is room, and waits for it in order otherwise', async () => {
    const { conn, transport, network } = scripted()
    transport.room = false
    await conn.write(bytes('a'))
    const writes = Promise.all([conn.write(bytes('b')), conn.write(bytes('c'))])
    expect(transport.calls).toEqual(['write a'])
    network.drain()
    expect(transport.calls).toEqual(['write a', 'write b'])
    transport.room = true
    network.drain()
    await writes
    expect(transport.calls).toEqual(['write a', 'write b', 'write c'])
  })

  it('lets no write overtake one that waits', async () => {
    const { conn, transport, network } = scripted()
    transport.room = false
    await conn.write(bytes('a'))
    const second = conn.write(bytes('b'))
    transport.room = true
    const third = conn.write(bytes('c'))
    network.drain()
    await Promise.all([second, third])
    expect(transport.calls).toEqual(['write a', 'write b', 'write c'])
  })

  it('writes nothing once its signal has aborted', async () => {
    const { conn, transport, network } = scripted()
    transport.room = false
    await conn.write(bytes('a'))
    const giveUp = new AbortController()
    const [second, third] = [conn.write(bytes('b'), { signal: giveUp.signal }), conn.write(bytes('c'))]
    giveUp.abort()
    await failure(second, 'CANCELLED')
    await failure(conn.write(bytes('d'), { signal: giveUp.signal }), 'CANCELLED')
    network.drain()
    await third
    expect(transport.calls).toEqual(['write a', 'write c'])
  })

  it('with handedOn: resolves when the transport has handed it on, not when there was room', async () => {
    const { conn, transport, network } = scripted()
    const order: string[] = []
    const note = (what: string) => (): void => void order.push(what)
    const first = conn.write(bytes('a'), { handedOn: true, released: note('a released') }).then(note('a'))
    await conn.write(bytes('b')).then(note('b'))
    transport.room = false
    await conn.write(bytes('c')).then(note('c'))
    const last = conn.write(bytes('d'), { handedOn: true, released: note('d released') }).then(note('d'))
    expect(transport.calls).toEqual(['write a', 'write b', 'write c'])
    transport.done.shift()?.(true)
    await first
    transport.room = true
    network.drain()
    await conn.write(new Uint8Array(0), { handedOn: true }).then(note('nothing'))
    // Another reference to the bytes may be left.
    transport.done.shift()?.(false)
    await last
    expect(order).toEqual(['b', 'c', 'a released', 'a', 'nothing', 'd'])
  })

  it('with handedOn: fails with the conn, and its signal ends only the wait for room', async () => {
    const { conn, transport, network } = scripted()
    const signal = AbortSignal.abort()
    await failure(conn.write(bytes('a'), { handedOn: true, signal }), 'CANCELLED')
    const giveUp = new AbortController()
    transport.room = false
    const taken = conn.write(bytes('a'), { handedOn: true, signal: giveUp.signal })
    const waiting = conn.write(bytes('b'), { handedOn: true, signal: giveUp.signal })
    giveUp.abort()
    await failure(waiting, 'CANCELLED')
    network.close(lost)
    await failure(taken, 'CONNECTION_LOST')
    // Too late, and without effect.
    transport.done.shift()?.(true)
    expect(transport.calls).toEqual(['write a'])
  })

  it('does not call the transport for zero bytes', async () => {
    const { conn, transport } = scripted()
    await conn.write(new Uint8Array(0))
    expect(transport.calls).toEqual([])
  })

  it('is rejected with CLOSED after closeWrite()', async () => {
    const { conn, network } = scripted()
    const ended = conn.closeWrite()
    expect(await failure(conn.write(bytes('a')), 'CLOSED')).toMatchObject({ side: 'local', fatal: false })
    network.finish()
    await ended
    await failure(conn.write(bytes('a')), 'CLOSED')
  })
})

describe('closeWrite', () => {
  it('ends after the writes that wait, and only once', async () => {
    const { conn, transport, network } = scripted()
    transport.room = false
    await conn.write(bytes('a'))
    const second = conn.write(bytes('b'))
    const ended = conn.closeWrite()
    network.drain()
    network.drain()
    await second
    expect(transport.calls).toEqual(['write a', 'write b', 'end'])
    network.finish()
    await Promise.all([ended, conn.closeWrite()])
    network.finish()
  })

  it('does not end again when room comes after the end', () => {
    const { conn, transport, network } = scripted()
    transport.room = false
    void conn.write(bytes('a'))
    void conn.closeWrite()
    network.drain()
    expect(transport.calls).toEqual(['write a', 'end'])
  })

  it('ends after the signal of a waiting write aborted', async () => {
    const { conn, transport, network } = scripted()
    transport.room = false
    await conn.write(bytes('a'))
    const giveUp = new AbortController()
    const second = conn.write(bytes('b'), { signal: giveUp.signal })
    const ended = conn.closeWrite()
    giveUp.abort()
    await failure(second, 'CANCELLED')
    network.drain()
    network.finish()
    await ended
    expect(transport.calls).toEqual(['write a', 'end'])
  })

  it('leaves the reading half open', async () => {
    const { conn, network } = scripted()
    void conn.closeWrite()
    network.finish()
    const read = conn.read()
    network.chunk(bytes('a'))
    expect(text(await read)).toBe('a')
  })

  it('fails when the conn breaks first, and after it has', async () => {
    const { conn, network } = scripted()
    const ended = conn.closeWrite()
    network.close(lost)
    expect(await failure(ended, 'CONNECTION_LOST')).toBe(lost)
    const other = scripted()
    other.network.close(lost)
    expect(await failure(other.conn.closeWrite(), 'CONNECTION_LOST')).toBe(lost)
  })
})

describe('close', () => {
  it('ends this half, discards what still arrives, and waits until the conn has ended', async () => {
    const { conn, transport, network } = scripted()
    network.chunk(bytes('unread'))
    const waiting = scripted()
    const [read, closing] = [waiting.conn.read(), waiting.conn.close()]
    await failure(read, 'CLOSED')
    endBoth(waiting.network)
    await closing

    const closed = conn.close()
    expect(transport.calls).toEqual(['resume', 'end'])
    network.chunk(bytes('too late'))
    await failure(conn.read(), 'CLOSED')
    await failure(conn.write(bytes('a')), 'CLOSED')
    endBoth(network)
    await closed
    expect(await conn.closed).toEqual({ clean: true })
    await failure(conn.read(), 'CLOSED')
  })

  it('is idempotent', async () => {
    const { conn, transport, network } = scripted()
    const closing = [conn.close(), conn.close()]
    endBoth(network)
    await Promise.all([...closing, conn.close(), conn[Symbol.asyncDispose]()])
    expect(transport.calls).toEqual(['resume', 'end'])
  })

  it('delivers the writes that wait', async () => {
    const { conn, transport, network } = scripted()
    transport.room = false
    await conn.write(bytes('a'))
    const second = conn.write(bytes('b'))
    const closing = conn.close()
    network.drain()
    await second
    network.drain()
    endBoth(network)
    await closing
    expect(transport.calls).toEqual(['write a', 'resume', 'write b', 'end'])
  })

  it('resets a peer that does not end its half', async () => {
    vi.useFakeTimers()
    try {
      const { conn, transport, network } = scripted({ lingerTimeout: 100 })
      const closing = conn.close()
      network.finish()
      await vi.advanceTimersByTimeAsync(99)
      expect(transport.calls).toEqual(['resume', 'end'])
      await vi.advanceTimersByTimeAsync(1)
      expect(transport.calls).toEqual(['resume', 'end', 'destroy null'])
      network.close(lost)
      await closing
      expect(await conn.closed).toEqual({ clean: true })
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('resets a peer that reads nothing, with CLOSE_TIMEOUT', async () => {
    vi.useFakeTimers()
    try {
      const { conn, transport, network } = scripted({ closeTimeout: 100 })
      transport.room = false
      await conn.write(bytes('a'))
      const second = failure(conn.write(bytes('b')), 'CLOSE_TIMEOUT')
      const closing = failure(conn.close(), 'CLOSE_TIMEOUT')
      await vi.advanceTimersByTimeAsync(100)
      expect(transport.calls).toEqual(['write a', 'resume', 'destroy CLOSE_TIMEOUT'])
      await Promise.all([second, closing])
      network.close(lost)
      expect(await conn.closed).toMatchObject({ clean: false, error: { code: 'CLOSE_TIMEOUT' } })
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('fails when the conn is lost with bytes on their way', async () => {
    const { conn, network } = scripted()
    await conn.write(bytes('a'))
    const closing = conn.close()
    network.close(lost)
    expect(await failure(closing, 'CONNECTION_LOST')).toBe(lost)
  })

  it('does not fail when only the peer has not ended', async () => {
    const { conn, network } = scripted()
    const closing = conn.close()
    network.finish()
    network.close(lost)
    await closing
    expect(await conn.closed).toEqual({ clean: false, error: lost })
  })

  it.each([
    { name: 'was lost', end: (network: TransportEvents) => network.close(lost) },
    {
      name: 'was aborted',
      end: (network: TransportEvents, conn: StreamConn) => {
        conn.abort()
        network.close(lost)
      },
    },
  ])('returns when the conn $name long before', async ({ end }) => {
    const { conn, network } = scripted()
    end(network, conn)
    await conn.close()
    expect((await conn.closed).clean).toBe(false)
  })

  it('closes when an `await using` is left', async () => {
    const { conn, transport, network } = scripted()
    {
      await using same = conn
      expect(same).toBe(conn)
      queueMicrotask(() => endBoth(network))
    }
    expect(transport.calls).toEqual(['resume', 'end'])
    expect(await conn.closed).toEqual({ clean: true })
  })
})

describe('abort', () => {
  const reason = new Error('broken off')

  it('fails every wait with its reason, and every later call', async () => {
    const { conn, transport, network } = scripted()
    transport.room = false
    await conn.write(bytes('a'))
    const waits = [conn.read(), conn.read(), conn.write(bytes('b')), conn.closeWrite()]
    conn.abort(reason)
    network.close(lost)
    waits.push(conn.read(), conn.write(bytes('c')), conn.closeWrite())
    const errors = await Promise.all(waits.map((wait) => failure(wait, 'ABORTED')))
    expect(new Set(errors).size).toBe(1)
    expect(errors[0]).toMatchObject({ cause: reason, side: 'local', fatal: true })
    expect(transport.calls).toEqual(['write a', 'resume', 'destroy ABORTED'])
    expect(await conn.closed).toEqual({ clean: false, error: errors[0] })
  })

  it('drops the held chunks', async () => {
    const { conn, network } = scripted()
    network.chunk(bytes('a'))
    conn.abort()
    expect((await failure(conn.read(), 'ABORTED')).cause).toBeUndefined()
  })

  const states: readonly {
    readonly name: string
    readonly reach: (conn: StreamConn, network: TransportEvents) => void
  }[] = [
    { name: 'new', reach: () => {} },
    { name: 'half-closed by the peer', reach: (_conn, network) => network.end() },
    {
      name: 'half-closed by this side',
      reach: (conn, network) => {
        void conn.closeWrite()
        network.finish()
      },
    },
    { name: 'closing', reach: (conn) => void conn.close().catch(() => {}) },
    { name: 'aborted', reach: (conn) => conn.abort(reason) },
  ]
  it.each(states)('ends a conn that is $name', async ({ reach }) => {
    const { conn, transport, network } = scripted()
    reach(conn, network)
    conn.abort(reason)
    expect(transport.calls.at(-1)).toBe('destroy ABORTED')
    network.close(lost)
    expect(await conn.closed).toMatchObject({ clean: false, error: { code: 'ABORTED', cause: reason } })
    await failure(conn.read(), 'ABORTED')
  })

  it('changes nothing once both halves have ended', async () => {
    const { conn, transport, network } = scripted()
    void conn.closeWrite()
    endBoth(network)
    conn.abort(reason)
    expect(transport.calls).toEqual(['end'])
    expect(await conn.read()).toBeNull()
    expect(await conn.closed).toEqual({ clean: true })
  })

  it('keeps the first error of a conn that was lost', async () => {
    const { conn, network } = scripted()
    network.close(lost)
    conn.abort(reason)
    expect(await failure(conn.read(), 'CONNECTION_LOST')).toBe(lost)
    expect(await conn.closed).toEqual({ clean: false, error: lost })
  })
})

describe('the end of the transport', () => {
  it('wakes every waiter', async () => {
    const { conn, transport, network } = scripted()
    transport.room = false
    await conn.write(bytes('a'))
    const waits = [conn.read(), conn.read(), conn.write(bytes('b')), conn.write(bytes('c')), conn.closeWrite()]
    network.close(lost)
    for (const error of await Promise.all(waits.map((wait) => failure(wait, 'CONNECTION_LOST'))))
      expect(error).toBe(lost)
    expect(await conn.closed).toEqual({ clean: false, error: lost })
  })

  it('leaves what arrived to be read when only writing broke', async () => {
    const { conn, network } = scripted()
    network.chunk(bytes('whole'))
    network.end()
    network.close(lost)
    await failure(conn.write(bytes('a')), 'CONNECTION_LOST')
    expect(text(await conn.read())).toBe('whole')
    expect(await conn.read()).toBeNull()
    expect(await conn.closed).toEqual({ clean: false, error: lost })
  })

  it('treats no half as ended that this side did not end', async () => {
    const { conn, network } = scripted()
    network.finish()
    network.end()
    network.close(lost)
    expect(await conn.closed).toEqual({ clean: false, error: lost })
  })

  it('settles `closed` once', async () => {
    const { conn, network } = scripted()
    void conn.closeWrite()
    endBoth(network)
    network.close(lost)
    expect(await conn.closed).toEqual({ clean: true })
  })
})

describe('iteration', () => {
  it('yields chunks up to the end', async () => {
    const { conn, network } = scripted()
    for (const chunk of ['a', 'b']) network.chunk(bytes(chunk))
    network.end()
    const seen: (string | null)[] = []
    for await (const chunk of conn) seen.push(text(chunk))
    expect(seen).toEqual(['a', 'b'])
  })

  const exits: readonly { readonly name: string; readonly leave: (conn: StreamConn) => Promise<unknown> }[] = [
    {
      name: 'break',
      leave: async (conn) => {
        for await (const chunk of conn) if (chunk.length > 0) break
      },
    },
    {
      name: 'return',
      leave: async (conn) => {
        for await (const chunk of conn) return chunk
        return null
      },
    },
    {
      name: 'throw',
      leave: async (conn) => {
        try {
          for await (const chunk of conn) throw new Error(`out with ${chunk.length} bytes`)
        } catch (error) {
          return error
        }
        return null
      },
    },
  ]
  it.each(exits)('leaves both halves open when it is left by $name (nodejs/node#49073)', async ({ leave }) => {
    const { conn, transport, network } = scripted()
    for (const chunk of ['a', 'b']) network.chunk(bytes(chunk))
    await leave(conn)
    expect(text(await conn.read())).toBe('b')
    await conn.write(bytes('c'))
    expect(transport.calls.at(-1)).toBe('write c')
  })

  it('throws what broke the conn', async () => {
    const { conn, network } = scripted()
    network.chunk(bytes('a'))
    const all = (async () => {
      for await (const chunk of conn) expect(text(chunk)).toBe('a')
    })()
    await Promise.resolve()
    await Promise.resolve()
    network.close(lost)
    expect(await failure(all, 'CONNECTION_LOST')).toBe(lost)
  })
})

it('shows logs the state of its halves, also where a subclass has a member of that name', () => {
  class Named extends StreamConn {
    readonly halves = 'mine'
  }
  const conn = new Named(new ScriptedTransport(0))
  expect(JSON.parse(JSON.stringify(conn))).toEqual({ reading: 'open', writing: 'open' })
  expect(conn.halves).toBe('mine')
})
