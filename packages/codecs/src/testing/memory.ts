/** How much memory decoding takes. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How much memory decoding may take, whatever the bytes, garbage included; and how much more for each byte. Unit: bytes. */
const littleMemory = 4 * 2 ** 20
const memoryPerByte = 1024

/** How often decoding is repeated because the garbage collector ran during it. */
const mostAttempts = 4

/**
 * Asserts that `run`, which decodes something in a chunk of `size` bytes, takes little memory. Garbage from before hides what
 * is taken, if it goes meanwhile: {@link collectGarbage} before the first of many.
 */
export function inLittleMemory<R>(size: number, run: () => R): R {
  const limit = littleMemory + size * memoryPerByte
  for (let attempt = 1; ; attempt++) {
    const before = memoryHeld()
    const result = run()
    const taken = memoryHeld() - before
    if (taken < 0 && attempt < mostAttempts) {
      collectGarbage()
      continue
    }
    if (taken <= limit) return result
    throw new Error(`it took ${mebibytes(taken)} MiB of memory, of at most ${mebibytes(limit)} MiB`)
  }
}

let collect: unknown

/** Frees what nothing refers to, where the runtime has a way to ask for it. It takes tens of milliseconds. */
export function collectGarbage(): void {
  if (collect === undefined) {
    // No context that is there already gets a `gc` by it.
    setFlagsFromString('--expose-gc')
    collect = runInNewContext("typeof gc === 'function' ? gc : null")
  }
  if (typeof collect !== 'function') return
  collect()
  // V8 frees the array buffers that it found in a thread of its own, and has counted that by the next time at the latest.
  collect()
}

/**
 * The heap and what lies outside of it, such as array buffers, pages that nobody has touched and garbage included. The same
 * as `process.memoryUsage()` says, twenty times as fast: it is asked before and after each decoding. Unit: bytes.
 */
function memoryHeld(): number {
  const { used_heap_size: heap, external_memory: outside } = getHeapStatistics()
  return heap + outside
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}
