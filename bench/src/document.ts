/** Writes the figures into docs/why/benchmarks.md, with charts, and into the pages that sum them up. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'

import type { Load } from './cases/case.ts'
import { chartsOf } from './charts.ts'
import { entries } from './peers/index.ts'
import { inMarkdown, roundsIn, slowerOf, tablesOf } from './report.ts'
import type { Measured } from './results.ts'
import { summaryChart, summaryOf } from './summary.ts'
import { targetsOf } from './targets.ts'

const root = new URL('../../', import.meta.url)
const folder = new URL('docs/why/', root)

const wrapped = { proseWrap: 'always', printWidth: 120 } as const

export async function writeDocuments(all: readonly Measured[], loads: readonly Load[]): Promise<void> {
  const shown = shownOf(all)
  const pictures = new URL('benchmarks/', folder)
  await rm(pictures, { recursive: true, force: true })
  await mkdir(pictures, { recursive: true })
  await writeFile(new URL('summary.svg', pictures), summaryChart(shown))
  const sections: string[] = []
  for (const load of loads) {
    const measured = all.filter(({ results }) => results.entries(load.cases).length > 0)
    if (measured.length === 0) continue
    const charts = chartsOf(load, shown.results)
    for (const { name, svg } of charts) await writeFile(new URL(`${name}.svg`, pictures), svg)
    const tables = measured.flatMap(({ version, results }) => [
      `**${version}**`,
      ...tablesOf(load, results).map(inMarkdown),
    ])
    const images = charts.map(({ name, title }) => `![${title}, ${shown.version}](benchmarks/${name}.svg)`)
    sections.push(`## ${load.title}`, load.about, ...tables, ...images)
  }
  const parts = [await opening(all), ...sections, slower(all), aims(all), failed(all), again]
  const text = parts.filter((part) => part !== '').join('\n\n')
  await writeMarkdown('docs/why/benchmarks.md', await format(text, { parser: 'markdown', ...wrapped }))
  const bold = 'The best of each line is bold.'
  await fill('docs/why/performance.md', '## In five lines', bold, summary(all))
  await fill('docs/why/performance.md', 'a ratio above 1.', '## See also', inMarkdown(slowerOf(all)))
  const { head, rows } = summaryOf(shown)
  const corner = `${shown.version}, one machine ([how](docs/why/benchmarks.md))`
  await fill('README.md', '## Performance', bold, inMarkdown({ head: [corner, ...head.slice(1)], rows }))
}

/** Charts and README show the version of Node with the most figures, and of equal ones the newest, which comes last. */
function shownOf([first, ...others]: readonly Measured[]): Measured {
  if (first === undefined) throw new Error('there are no results: run --full first')
  return others.reduce((best, one) => (one.results.cells.length < best.results.cells.length ? best : one), first)
}

function summary(all: readonly Measured[]): string {
  const tables = all.map((one) => `${one.machine}:\n\n${inMarkdown(summaryOf(one))}`)
  return `${tables.join('\n\n')}

![Each line as a part of its best figure, in %, ${shownOf(all).version}](benchmarks/summary.svg)`
}

async function opening(all: readonly Measured[]): Promise<string> {
  const rows = await Promise.all(entries.map(async (entry) => [entry.title, await versionOf(entry), entry.about]))
  const peers = inMarkdown({ head: ['', 'version', 'how it is used'], rows, isText: true })
  return `# Benchmarks

This page compares h2channel with its alternatives. \`npx -y pnpm@12 bench --full\` measured and wrote it.

## Summary

${summary(all)}

The best of each line is bold. The chart shows each line as a part of its best figure. [What is slower](#what-is-slower) is in one table.

## How it is measured

Client and server are two processes on one machine, over loopback and without TLS unless a section says otherwise. All peers send the same messages unless a section has others: \`{ id, user, text, ts }\` with a text of 64 characters, about 120 bytes of JSON. The peers run one after the other, in an order that changes from round to round. Every figure is the median of its rounds: ${all.map(({ version, results }) => `${roundsIn(results)} (${version})`).join('; ')}. A cell whose rounds differ by more than a third is measured again, up to three rounds more, and the rounds closest to the median count; † marks a cell that is still unsteady. Processes that pause while others are measured run with \`--no-memory-reducer\`: V8 would throw their compiled code away.

In tables, **h2channel ÷ peer** is a ratio of these medians: \`json ÷\` is h2channel with json, divided by the peer of the row. In columns with ↑ more is better, and a ratio above 1.00 means that h2channel is faster. In columns with ↓ less is better, and a ratio below 1.00 means that h2channel needs less. Another machine gives other figures; the ratios differ less.

${peers}

In the charts, h2channel is green. Ochre bars are limits: they show how fast anything could be. All peers are pure JavaScript: the optional native part of \`ws\`, \`bufferutil\`, is not installed. All switch Nagle's algorithm off.`
}

function slower(all: readonly Measured[]): string {
  return `## What is slower

Every figure above in which a peer did better than h2channel, limits excepted: the ratio h2channel ÷ peer, the largest difference first.

${inMarkdown(slowerOf(all))}`
}

function aims(all: readonly Measured[]): string {
  return `## What the library aims at

The wanted ratios h2channel ÷ peer, and the ratios that the figures above give. \`npx -y pnpm@12 bench --targets\` prints them.

${inMarkdown(targetsOf(all))}`
}

function failed(all: readonly Measured[]): string {
  const failures = all.flatMap(({ version, results }) => results.failures().map((cell) => ({ version, ...cell })))
  if (failures.length === 0) return ''
  const lines = failures.map((cell) => `- ${cell.version}: ${cell.case.name}, ${cell.entry.title}: \`${cell.error}\``)
  return `## What failed

${lines.join('\n')}`
}

const again = `## Reproduce

\`\`\`sh
npx -y pnpm@12 bench --full                   # everything; it says how long that takes, and writes this page
npx -y pnpm@12 bench --full --node 24         # on another version of Node, which it fetches
npx -y pnpm@12 bench --full call open         # some loads; the other figures stay as they are
npx -y pnpm@12 bench call ping                # calls, and messages on an open channel, in short
npx -y pnpm@12 bench stream echo ws ours      # some loads and peers, in short
npx -y pnpm@12 bench --seconds 5 --rounds 9 ping
npx -y pnpm@12 bench --help                   # every load, peer and option
\`\`\`

\`--smoke\` runs each cell once, to see whether it works. It measures nothing.`

/** Replaces what stands between two texts of a page. */
async function fill(path: string, after: string, before: string, content: string): Promise<void> {
  const text = await readFile(new URL(path, root), 'utf8')
  const from = text.indexOf(after) + after.length
  const to = text.indexOf(before, from)
  if (from < after.length || to < from) throw new Error(`${path} has no "${after}" … "${before}"`)
  await writeMarkdown(path, `${text.slice(0, from)}\n\n${content}\n\n${text.slice(to)}`)
}

async function writeMarkdown(path: string, text: string): Promise<void> {
  const file = fileURLToPath(new URL(path, root))
  await writeFile(file, await format(text, { ...(await resolveConfig(file)), filepath: file }))
}

async function versionOf({ library }: { readonly library?: string }): Promise<string> {
  if (library === undefined) return ''
  const path = new URL(`../node_modules/${library}/package.json`, import.meta.url)
  return (JSON.parse(await readFile(path, 'utf8')) as { version: string }).version
}
