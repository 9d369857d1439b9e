import cliProgress from 'cli-progress'

export interface Progress {
  /** Called before each step, with the number of finished ones. */
  step(load: string, peer: string, done: number): void
  stop(): void
}

/** A bar in a terminal, a line for each load elsewhere. */
export function showProgress(total: number): Progress {
  if (!process.stderr.isTTY) {
    let last = ''
    const step = (load: string): void => {
      if (load !== last) process.stderr.write(`${load} …\n`)
      last = load
    }
    return { step, stop() {} }
  }
  const format = '{bar} {percentage}%  {load}: {peer}'
  const options = { format, stream: process.stderr, clearOnComplete: true, hideCursor: true }
  const bar = new cliProgress.SingleBar(options, cliProgress.Presets.shades_classic)
  bar.start(total, 0, { load: '', peer: '' })
  const step = (load: string, peer: string, done: number): void => bar.update(done, { load, peer })
  return { step, stop: () => bar.stop() }
}
