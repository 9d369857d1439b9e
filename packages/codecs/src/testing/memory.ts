/** Measures the memory that decoding uses. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How much memory decoding may use for any bytes, including garbage, and how much more for each byte. Unit: bytes. */
const maxMemory = 4 * 2 ** 20
const memoryPerByte = 1024

/** How often decoding is repeated when the garbage collector runs during it. */
const maxAttempts = 4

/**
 * Asserts that `run`, which decodes in a chunk of `size` bytes, uses little memory. Earlier garbage that is freed
 * meanwhile hides memory, so call {@link collectGarbage} before the first of many runs.
 */
export function inLittleMemory<R>(size: number, run: () => R): R {
  const limit = maxMemory + size * memoryPerByte
  for (let attempt = 1; ; attempt++) {
    const before = memoryHeld()
    const result = run()
    const used = memoryHeld() - before
    if (used < 0 && attempt < maxAttempts) {
      collectGarbage()
      continue
    }
    if (used <= limit) return result
    throw new Error(`it used ${mebibytes(used)} MiB of memory, more than ${mebibytes(limit)} MiB`)
  }
}

/** The garbage collector, found at the first use. */
const collector: { run?: unknown } = {}

/** Runs the garbage collector, if the runtime allows it. It takes tens of milliseconds. */
export function collectGarbage(): void {
  if (collector.run === undefined) {
    // Only new contexts get a `gc` by this flag.
    setFlagsFromString('--expose-gc')
    collector.run = runInNewContext("typeof gc === 'function' ? gc : null")
  }
  const { run } = collector
  if (typeof run !== 'function') return
  run()
  // V8 frees array buffers in another thread. It has counted them at the next collection at the latest.
  run()
}

/**
 * Returns the memory on the heap and outside, such as array buffers, including garbage and untouched pages. It agrees
 * with `process.memoryUsage()` and is twenty times faster, since it runs before and after each decoding. Unit: bytes.
 */
function memoryHeld(): number {
  const { used_heap_size: heap, external_memory: outside } = getHeapStatistics()
  return heap + outside
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}
