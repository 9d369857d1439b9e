import cliProgress from 'cli-progress'

export interface Progress {
  update(count: number): void
  stop(): void
}

/** A bar in a terminal, plain lines elsewhere. */
export function showProgress(name: string, total: number): Progress {
  const label = name.padEnd(8)
  const formatValue = (count: number): string => count.toLocaleString('en')
  if (!process.stdout.isTTY) {
    const update = (count: number): void => {
      if (count % 50_000 !== 0 && count !== total) return
      console.log(`${label}${formatValue(count)} of ${formatValue(total)} flights summed up`)
    }
    return { update, stop() {} }
  }
  const format = `${label}{bar} {value} of {total} flights summed up`
  const options = { format, formatValue, stream: process.stdout, fps: 30 }
  const bar = new cliProgress.SingleBar(options, cliProgress.Presets.shades_classic)
  bar.start(total, 0)
  return { update: (count) => bar.update(count), stop: () => bar.stop() }
}
