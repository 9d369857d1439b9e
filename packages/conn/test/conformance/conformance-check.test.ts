/** The conformance suite finds faults: each conn of a pipe here is broken in one way. */
import { describe, expect, it, vi } from 'vitest'

import type { Conn, ConnClosed, WaitOptions } from '../../src/index.ts'
import { ConnError, pipe } from '../../src/index.ts'
import type { ConformanceOptions, MakePair } from '../../src/testing.ts'
import { conformanceSeed, connConformance } from '../../src/testing.ts'

/** Forwards every call to another conn. */
class Wrapped implements Conn {
  protected readonly inner: Conn

  constructor(inner: Conn) {
    this.inner = inner
  }

  get closed(): Promise<ConnClosed> {
    return this.inner.closed
  }

  read(options?: WaitOptions): Promise<Uint8Array | null> {
    return this.inner.read(options)
  }

  write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
    return this.inner.write(bytes, options)
  }

  closeWrite(): Promise<void> {
    return this.inner.closeWrite()
  }

  close(): Promise<void> {
    return this.inner.close()
  }

  abort(reason?: unknown): void {
    this.inner.abort(reason)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return {
      next: async () => {
        const value = await this.read()
        return value === null ? { done: true, value: undefined } : { done: false, value }
      },
    }
  }
}

const never = new Promise<never>(() => {})

/**
 * How long a case that should hang may take. The others have the time that a busy machine needs. Unit: milliseconds.
 */
const patience = 500

function hangs(says: RegExp): boolean {
  return says.source.includes(`within ${patience} ms`)
}

interface Mutant {
  readonly fault: string
  readonly Broken: new (inner: Conn) => Conn
  /** The case that must find the fault, and its message. */
  readonly finder: string
  readonly says: RegExp
}

const mutants: readonly Mutant[] = [
  {
    fault: 'loses a byte',
    Broken: class extends Wrapped {
      #count = 0
      override async read(options?: WaitOptions): Promise<Uint8Array | null> {
        const chunk = await super.read(options)
        this.#count += 1
        return chunk !== null && this.#count === 20 ? chunk.subarray(1) : chunk
      }
    },
    finder: 'BasicIO',
    says: /byte \d+ of 8388608 came as \d+, not as \d+/,
  },
  {
    fault: 'changes a byte',
    Broken: class extends Wrapped {
      #count = 0
      override async read(options?: WaitOptions): Promise<Uint8Array | null> {
        const chunk = await super.read(options)
        this.#count += 1
        return chunk !== null && this.#count === 20 ? chunk.map((byte, at) => (at === 0 ? byte ^ 1 : byte)) : chunk
      }
    },
    finder: 'BasicIO, both ways at once',
    says: /byte \d+ of 8388608 came as \d+, not as \d+/,
  },
  {
    fault: 'loses the last write before the end',
    Broken: class extends Wrapped {
      #last: Uint8Array | undefined
      override async write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
        const before = this.#last
        this.#last = bytes
        if (before !== undefined) await super.write(before, options)
      }
    },
    finder: 'BasicIO, both ways at once',
    says: /the end came after \d+ bytes, not 8388608/,
  },
  {
    fault: 'answers one count late',
    Broken: class extends Wrapped {
      override write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
        const stale = bytes.length === 8 && bytes[0] === 7 ? Uint8Array.of(6, 0, 0, 0, 0, 0, 0, 0) : bytes
        return super.write(stale, options)
      }
    },
    finder: 'PingPong',
    says: /byte 0 of 8 came as 6, not as 7/,
  },
  {
    fault: 'still uses the bytes of a refused write',
    Broken: class extends Wrapped {
      override async write(bytes: Uint8Array, options: WaitOptions = {}): Promise<void> {
        const signal = options.signal ?? undefined
        if (signal?.aborted === true) return super.write(bytes, options)
        const abandoned = super.write(bytes)
        await (signal === undefined ? abandoned : Promise.race([abandoned, gaveUp(signal)]))
      }
    },
    finder: 'RacyWrite',
    says: /came as/,
  },
  {
    fault: 'breaks off when a deadline has passed',
    Broken: class extends Wrapped {
      override write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
        if (options?.signal?.aborted === true) this.abort(options.signal.reason)
        return super.write(bytes, options)
      }
    },
    finder: 'PastTimeout',
    says: /ABORTED/,
  },
  {
    fault: 'ignores a signal that was aborted before',
    Broken: class extends Wrapped {
      override read(options: WaitOptions = {}): Promise<Uint8Array | null> {
        return super.read(options.signal?.aborted === true ? {} : options)
      }
    },
    finder: 'ReadTimeout',
    says: /it did not end within 500 ms/,
  },
  {
    fault: 'ignores the signal of a write',
    Broken: class extends Wrapped {
      override write(bytes: Uint8Array): Promise<void> {
        return super.write(bytes)
      }
    },
    finder: 'WriteTimeout',
    says: /expected TIMEOUT, but it succeeded/,
  },
  {
    fault: 'ignores a signal that is aborted while it waits',
    Broken: class extends Wrapped {
      override read(options: WaitOptions = {}): Promise<Uint8Array | null> {
        return super.read(options.signal?.aborted === true ? options : {})
      }
    },
    finder: 'PresentTimeout',
    says: /it did not end within 500 ms, waiting for a read when its signal is aborted/,
  },
  {
    fault: 'reports a deadline as CANCELLED',
    Broken: class extends Wrapped {
      override read(options?: WaitOptions): Promise<Uint8Array | null> {
        return super.read(options).catch((error: unknown) => {
          throw error instanceof ConnError && error.code === 'TIMEOUT' ? new ConnError('CANCELLED', 'so') : error
        })
      }
    },
    finder: 'FutureTimeout',
    says: /expected TIMEOUT, not CANCELLED/,
  },
  {
    fault: 'never reads again after a deadline',
    Broken: class extends Wrapped {
      #late = false
      override async read(options?: WaitOptions): Promise<Uint8Array | null> {
        if (this.#late) return never
        try {
          return await super.read(options)
        } catch (error) {
          this.#late = true
          throw error
        }
      }
    },
    finder: 'FutureTimeout',
    says: /it did not end within 500 ms, waiting for .*what was written before/,
  },
  {
    fault: 'never settles its reads when it closes',
    Broken: class extends Wrapped {
      override read(options?: WaitOptions): Promise<Uint8Array | null> {
        return super.read(options).catch((error: unknown) => {
          if (error instanceof ConnError && error.code === 'CLOSED') return never
          throw error
        })
      }
    },
    finder: 'CloseTimeout',
    says: /it did not end within 500 ms, waiting for reading when this side closes/,
  },
  {
    fault: 'serves the last read first',
    Broken: class extends Wrapped {
      #before: Promise<unknown> = Promise.resolve()
      #held: Uint8Array | null | undefined
      override read(options?: WaitOptions): Promise<Uint8Array | null> {
        const next = this.#before.then(() => this.#swapped(options))
        this.#before = next.catch(() => {})
        return next
      }
      async #swapped(options?: WaitOptions): Promise<Uint8Array | null> {
        if (this.#held !== undefined) {
          const held = this.#held
          this.#held = undefined
          return held
        }
        const first = await super.read(options)
        if (first === null || first.length < 1000) return first
        this.#held = first
        const second = await super.read(options)
        if (second === null) {
          this.#held = null
          return first
        }
        return second
      }
    },
    finder: 'serves concurrent reads in order, and never interleaves concurrent writes',
    says: /came as/,
  },
  {
    fault: 'interleaves writes',
    Broken: class extends Wrapped {
      override async write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
        for (let at = 0; at < bytes.length; at += 1000) {
          await super.write(bytes.subarray(at, at + 1000), options)
          await Promise.resolve()
        }
      }
    },
    finder: 'serves concurrent reads in order, and never interleaves concurrent writes',
    says: /came as/,
  },
  {
    fault: 'holds no writer back',
    Broken: class extends Wrapped {
      override async write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
        if (options?.signal?.aborted === true) return super.write(bytes, options)
        super.write(bytes).catch(() => {})
      }
    },
    finder: 'holds a writer back while the reader pauses, and delivers everything afterwards',
    says: /nothing held the writer back/,
  },
  {
    fault: 'delivers empty chunks',
    Broken: class extends Wrapped {
      #told = false
      override async read(options?: WaitOptions): Promise<Uint8Array | null> {
        const chunk = await super.read(options)
        if (chunk !== null || this.#told) return chunk
        this.#told = true
        return new Uint8Array()
      }
    },
    finder: 'keeps one half open after the other has ended, in either order',
    says: /a read gave an empty chunk/,
  },
  {
    fault: 'ends both halves when one ends',
    Broken: class extends Wrapped {
      override closeWrite(): Promise<void> {
        return super.close()
      }
    },
    finder: 'keeps one half open after the other has ended, in either order',
    says: /it did not end within 500 ms/,
  },
  {
    fault: 'closes when an iteration is left',
    Broken: class extends Wrapped {
      override [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
        const leave = async (): Promise<{ done: true; value: undefined }> => {
          await this.inner.closeWrite()
          return { done: true, value: undefined }
        }
        return { ...super[Symbol.asyncIterator](), return: leave }
      }
    },
    finder: 'keeps both halves open when an iteration is left early',
    says: /write after this side closed/,
  },
  {
    fault: 'loses a chunk to an aborted read',
    Broken: class extends Wrapped {
      override async read(options: WaitOptions = {}): Promise<Uint8Array | null> {
        const signal = options.signal ?? undefined
        if (signal === undefined || signal.aborted) return super.read(options)
        const eaten = super.read()
        return Promise.race([eaten, gaveUp(signal)])
      }
    },
    finder: 'loses nothing to an aborted read',
    says: /it did not end within 500 ms, waiting for the second read/,
  },
  {
    fault: 'loses a chunk to a read that is aborted as it comes',
    Broken: class extends Wrapped {
      override async read(options: WaitOptions = {}): Promise<Uint8Array | null> {
        const chunk = await super.read(options)
        await Promise.resolve()
        if (options.signal?.aborted === true) throw new ConnError('CANCELLED', 'a moment too late')
        return chunk
      }
    },
    finder: 'loses nothing to reads that are aborted at any moment',
    says: /came as|bytes were lost/,
  },
  {
    fault: 'sends the bytes of an aborted write',
    Broken: class extends Wrapped {
      override async write(bytes: Uint8Array, options: WaitOptions = {}): Promise<void> {
        const signal = options.signal ?? undefined
        if (signal === undefined || signal.aborted || bytes.length > 100) return super.write(bytes, options)
        const taken = super.write(bytes.slice())
        return Promise.race([taken, gaveUp(signal)])
      }
    },
    finder: 'sends nothing of an aborted write',
    says: /came as/,
  },
  {
    fault: 'drops what was accepted when it closes',
    Broken: class extends Wrapped {
      override close(): Promise<void> {
        this.abort()
        return super.close()
      }
    },
    finder: 'delivers all that was accepted before close() ends it',
    says: /RESET/,
  },
  {
    fault: 'never stops a peer that keeps sending',
    Broken: class extends Wrapped {
      override async close(): Promise<void> {
        await super.closeWrite()
        for (;;) if ((await super.read()) === null) break
        await super.close()
      }
    },
    finder: 'stops a peer that keeps sending after close()',
    says: /it did not end within 500 ms, waiting for the writer, which must be stopped, close\(\)/,
  },
  {
    fault: 'shows the peer an abort as a clean end',
    Broken: class extends Wrapped {
      override abort(): void {
        super.close().catch(() => {})
      }
    },
    finder: 'abort() after bytes is seen as an error by the peer, never as a clean end',
    says: /a read when the peer aborts came out as end, not as BROKEN/,
  },
  {
    fault: 'shows its reader an abort as a clean end',
    Broken: class extends Wrapped {
      override read(options?: WaitOptions): Promise<Uint8Array | null> {
        return super.read(options).catch((error: unknown) => {
          if (error instanceof ConnError && error.code === 'RESET') return null
          throw error
        })
      }
    },
    finder: 'abort() after bytes that the peer has not read',
    says: /the last read after the peer aborted came out as end, not as BROKEN/,
  },
  {
    fault: 'never settles its reads when it aborts',
    Broken: class extends Wrapped {
      override read(options?: WaitOptions): Promise<Uint8Array | null> {
        return super.read(options).catch((error: unknown) => {
          if (error instanceof ConnError && error.code === 'ABORTED') return never
          throw error
        })
      }
    },
    finder: 'wakes every waiter when this side aborts',
    says: /within 500 ms, waiting for a read when this side aborts, a second read when this side aborts \(/,
  },
  {
    fault: 'never settles its writes when the peer aborts',
    Broken: class extends Wrapped {
      override write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
        return super.write(bytes, options).catch((error: unknown) => {
          if (error instanceof ConnError && error.code === 'RESET') return never
          throw error
        })
      }
    },
    finder: 'wakes every waiter when the peer aborts',
    says: /within 500 ms, waiting for a write when the peer aborts, a second write when the peer aborts \(/,
  },
  {
    fault: 'fails with an error of another kind',
    Broken: class extends Wrapped {
      override closeWrite(): Promise<void> {
        return super.closeWrite().catch(() => {
          throw new Error('EPIPE')
        })
      }
    },
    finder: 'wakes every waiter when the peer aborts',
    says: /closeWrite\(\) when the peer aborts failed with an error that is no ConnError: Error: EPIPE/,
  },
  {
    fault: 'loses the reason for an abort',
    Broken: class extends Wrapped {
      override abort(): void {
        super.abort(new Error('some reason'))
      }
    },
    finder: 'abort() while a read waits',
    says: /the cause of ABORTED is Error: some reason, not the reason that was given/,
  },
  {
    fault: 'never ends close() when the peer reads nothing',
    Broken: class extends Wrapped {
      override async close(): Promise<void> {
        await super.closeWrite()
        await super.close()
      }
    },
    finder: 'wakes every waiter when the peer reads nothing for closeTimeout',
    says: /it did not end within 500 ms, waiting for/,
  },
  {
    fault: 'is closed as soon as one half has ended',
    Broken: class extends Wrapped {
      #settle: (closed: ConnClosed) => void = () => {}
      readonly #closed = new Promise<ConnClosed>((resolve) => {
        this.#settle = resolve
      })
      override get closed(): Promise<ConnClosed> {
        return Promise.race([this.#closed, super.closed])
      }
      override async closeWrite(): Promise<void> {
        await super.closeWrite()
        this.#settle({ clean: true })
      }
    },
    finder: '`closed` settles when both halves have ended, and not before',
    says: /`closed` with one half open settled too early/,
  },
  {
    fault: 'changes how it says that it ended',
    Broken: class extends Wrapped {
      #aborted = false
      override get closed(): Promise<ConnClosed> {
        if (!this.#aborted) return super.closed
        return Promise.resolve({ clean: false, error: new ConnError('ABORTED', 'after all') })
      }
      override abort(reason?: unknown): void {
        this.#aborted = true
        super.abort(reason)
      }
    },
    finder: '`closed` is the same for every caller, and never changes, when both halves end',
    says: /`closed` changed/,
  },
  {
    fault: 'never settles `closed`',
    Broken: class extends Wrapped {
      override get closed(): Promise<ConnClosed> {
        return never
      }
    },
    finder: 'delivers no empty chunk',
    says: /`closed` did not settle within 2000 ms of abort\(\)/,
  },
]

function gaveUp(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    // A new signal for each wait, since Node warns of a signal with many listeners.
    AbortSignal.any([signal]).addEventListener('abort', () => {
      const code = signal.reason instanceof Error && signal.reason.name === 'TimeoutError' ? 'TIMEOUT' : 'CANCELLED'
      reject(new ConnError(code, 'given up', { cause: signal.reason }))
    })
  })
}

/** Makes wrapped pairs of a pipe, and lists their conns in `made`. */
function wrappedPairs(Kind: new (inner: Conn) => Conn): { readonly makePair: MakePair; readonly made: Conn[] } {
  const made: Conn[] = []
  const makePair: MakePair = async (timeouts) => {
    const pair = pipe(timeouts)
    made.push(...pair)
    return [new Kind(pair[0]), new Kind(pair[1])]
  }
  return { makePair, made }
}

/** Runs one case. Returns its error, or undefined when it passes. */
async function runCase(name: string, makePair: MakePair, options?: ConformanceOptions): Promise<Error | undefined> {
  const found = connConformance.find((one) => one.name === name)
  if (found === undefined) throw new Error(`no case is called ${name}`)
  return found.run(makePair, options).then(
    () => undefined,
    (error: Error) => error,
  )
}

describe('the conformance suite', () => {
  it('has the eleven cases of nettest, and no name twice', () => {
    const names = connConformance.map(({ name }) => name)
    expect(names).toEqual(
      expect.arrayContaining([
        'BasicIO',
        'PingPong',
        'RacyRead',
        'RacyWrite',
        'ReadTimeout',
        'WriteTimeout',
        'PastTimeout',
        'PresentTimeout',
        'FutureTimeout',
        'CloseTimeout',
        'ConcurrentMethods',
      ]),
    )
    expect(new Set(names).size).toBe(names.length)
  })

  it('passes a conn that only looks different, with all cases at once', async () => {
    const { makePair } = wrappedPairs(Wrapped)
    const failures = await Promise.all(connConformance.map(({ name }) => runCase(name, makePair)))
    expect(failures.filter((one) => one !== undefined)).toEqual([])
  })

  for (const { fault, Broken, finder, says } of mutants) {
    it(`finds a conn that ${fault}`, async () => {
      const { makePair, made } = wrappedPairs(Broken)
      const error = await runCase(finder, makePair, { timeout: hangs(says) ? patience : 10_000 })
      expect(error?.message).toMatch(says)
      expect(error?.message.startsWith(`${finder}: `)).toBe(true)
      expect(error?.message.endsWith(` (seed ${conformanceSeed})`)).toBe(true)
      expect(error?.cause).toBeInstanceOf(Error)
      // Some of the broken conns cannot be closed by the suite, so their inner conns are aborted here.
      for (const conn of made) conn.abort()
      await Promise.all(made.map(({ closed }) => closed))
    })
  }

  it('makes its bytes from the seed, and names the seed', async () => {
    const sent: Uint8Array[] = []
    class Recorded extends Wrapped {
      override write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
        sent.push(bytes.slice())
        return super.write(bytes, options)
      }
    }
    const first = async (seed?: number): Promise<Uint8Array | undefined> => {
      sent.length = 0
      await runCase('ReadTimeout', wrappedPairs(Recorded).makePair, { seed })
      return sent[0]
    }
    const [one, same, other] = [await first(), await first(conformanceSeed), await first(conformanceSeed + 1)]
    expect(same).toEqual(one)
    expect(other).not.toEqual(one)
    const error = await runCase('BasicIO', () => Promise.reject(new Error('no pair today')), { seed: 7 })
    expect(error?.message).toBe('BasicIO: no pair today (seed 7)')
  })

  it('reports a pair that is never made, and ends one that comes too late', async () => {
    let make: () => void = () => {}
    const pair = pipe()
    const makePair: MakePair = () =>
      new Promise((resolve) => {
        make = () => resolve(pair)
      })
    const error = await runCase('PingPong', makePair, { timeout: 20 })
    expect(error?.message).toMatch(/^PingPong: it did not end within 20 ms, waiting for makePair/)
    make()
    const ends = await Promise.all(pair.map(({ closed }) => closed))
    expect(ends.map(({ clean }) => clean)).toEqual([false, false])
  })

  it('leaves no conn open, whether the case passed or failed', async () => {
    const good = wrappedPairs(Wrapped)
    expect(await runCase('RacyRead', good.makePair)).toBeUndefined()
    const bad = wrappedPairs(
      class extends Wrapped {
        override read(): Promise<null> {
          return Promise.resolve(null)
        }
      },
    )
    expect(await runCase('RacyRead', bad.makePair, { timeout: patience })).toBeInstanceOf(Error)
    expect(await Promise.all([...good.made, ...bad.made].map(({ closed }) => closed))).toHaveLength(4)
  })

  it('accepts an end or a break, but not silence, from a carrier without resets', async () => {
    const name = 'abort() after bytes is seen as an error by the peer, never as a clean end'
    class NoReset extends Wrapped {
      override read(options?: WaitOptions): Promise<Uint8Array | null> {
        return super.read(options).catch((error: unknown) => {
          if (error instanceof ConnError && error.code === 'RESET') return null
          throw error
        })
      }
    }
    expect((await runCase(name, wrappedPairs(NoReset).makePair))?.message).toMatch(/came out as end, not as BROKEN/)
    expect(await runCase(name, wrappedPairs(NoReset).makePair, { resets: false })).toBeUndefined()
    class Silent extends NoReset {
      override read(options?: WaitOptions): Promise<Uint8Array | null> {
        return super.read(options).then((chunk) => chunk ?? never)
      }
    }
    const error = await runCase(name, wrappedPairs(Silent).makePair, { resets: false, timeout: patience })
    expect(error?.message).toMatch(/waiting for a read when the peer aborts/)
  })

  it('rejects an invalid timeout', async () => {
    const error = await runCase('BasicIO', wrappedPairs(Wrapped).makePair, { timeout: 0 })
    expect(error).toMatchObject({ name: 'ConnError', code: 'INVALID_ARGUMENT' })
  })

  it('needs selfsigned for certificates alone', async () => {
    vi.resetModules()
    vi.doMock('selfsigned', () => {
      throw new Error('not installed')
    })
    try {
      const testing = await import('../../src/testing.ts')
      expect(testing.connConformance).toHaveLength(connConformance.length)
      await expect(testing.makeCertificate()).rejects.toBeInstanceOf(Error)
    } finally {
      vi.doUnmock('selfsigned')
      vi.resetModules()
    }
  })
})
