/**
 * Random input to every codec, behind a framing and split at random. Each codec runs in its own process, with little
 * memory and a time limit. `H2CHANNEL_INPUTS` sets the number of inputs, `H2CHANNEL_SEED` the seed.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const inputs = Number(process.env['H2CHANNEL_INPUTS'] ?? 20_000)
const seed = Number(process.env['H2CHANNEL_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const timeout = 30_000 + inputs / 4
const program = fileURLToPath(new URL('../support/random-inputs.ts', import.meta.url))

/** Unit: MiB. A process that decodes nothing uses about 30 of heap. */
const heap = 64

async function run(name: string, flags: readonly string[]): Promise<Readonly<Record<string, number>>> {
  const args = [`--max-old-space-size=${heap}`, ...flags, '--conditions=@h2channel/source']
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...args, '--import', import.meta.resolve('tsx'), program, name, String(seed), String(inputs)],
    { timeout, killSignal: 'SIGKILL' },
  )
  return JSON.parse(stdout) as Record<string, number>
}

test.each([
  ['json', []],
  ['json(schema)', []],
  ['json(types)', []],
  ['msgpack', []],
  ['msgpack(schema)', []],
  ['msgpack with an extension', []],
  ['struct', []],
  ['struct', ['--disallow-code-generation-from-strings']],
  ['struct, little', []],
  ['bytes', []],
  ['bytes(16)', []],
  ['oneOf', []],
])(
  `${inputs} random inputs to %s %j end in messages or in errors that say so`,
  async (name, flags) => {
    const { messages = 0, refused = 0, unframed = 0, unfinished = 0, grownMiB = 0, ...rest } = await run(name, flags)
    const counts = JSON.stringify({ ...rest, messages, refused, unframed, unfinished, grownMiB })
    process.stdout.write(`${name}, seed ${seed}: ${counts}\n`)
    expect(refused + unframed + unfinished, `seed ${seed}`).toBe(rest['inputs'])
    expect(messages + refused).toBeGreaterThanOrEqual(inputs)
    expect(messages).toBeGreaterThan(inputs / 100)
    expect(refused > 0).toBe(name !== 'bytes')
    expect(grownMiB).toBeLessThan(2 * heap)
  },
  timeout + 5_000,
)
