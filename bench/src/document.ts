/** Writes `docs/why/benchmarks.md` and its charts. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'

import type { Load } from './cases.ts'
import { chartsOf } from './charts.ts'
import type { Entry } from './peers/index.ts'
import { entries } from './peers/index.ts'
import { defeatsOf, inMarkdown, tablesOf } from './report.ts'
import type { Results } from './results.ts'

const folder = new URL('../../docs/why/', import.meta.url)

export interface About {
  readonly command: string
  /** Node's version and the machine. */
  readonly machine: string
  /** The number and length of the rounds. */
  readonly rounds: string
  readonly loads: readonly Load[]
}

export async function writeDocument(results: Results, about: About): Promise<void> {
  const pictures = new URL('benchmarks/', folder)
  await rm(pictures, { recursive: true, force: true })
  await mkdir(pictures, { recursive: true })
  const sections: string[] = []
  for (const load of about.loads) {
    const charts = chartsOf(load, results)
    for (const { name, svg } of charts) await writeFile(new URL(`${name}.svg`, pictures), svg)
    const images = charts.map(({ name, title }) => `![${title}](benchmarks/${name}.svg)`)
    sections.push(`## ${load.title}`, load.about, sparedIn(load), ...tablesOf(load, results).map(inMarkdown), ...images)
  }
  const parts = [await opening(about), ...sections, slower(results), failed(results), again(about)]
  const text = parts.filter((part) => part !== '').join('\n\n')
  const path = fileURLToPath(new URL('benchmarks.md', folder))
  const options = { ...(await resolveConfig(path)), filepath: path }
  const wrapped = await format(text, { ...options, proseWrap: 'always' })
  await writeFile(path, await format(wrapped, options))
}

async function opening({ command, machine, rounds }: About): Promise<string> {
  const rows = await Promise.all(entries.map(async (entry) => [entry.title, await versionOf(entry), entry.about]))
  const peers = inMarkdown({ head: ['', 'version', 'how it is used'], rows, isText: true })
  return `# Benchmarks

This page compares h2channel with its alternatives. \`${command}\` wrote it.

**${machine}**. ${rounds} A busy machine runs fewer rounds.

Client and server are two processes on one machine, over loopback and without TLS. All peers send the same messages unless a section has others: \`{ id, user, text, ts }\` with a text of 64 characters, about 120 bytes of JSON. The peers run one after the other, in an order that changes from round to round. Every figure is the median of its rounds. **h2channel ÷ peer** is the median of the ratios of all rounds: \`json ÷\` is h2channel with json, divided by the peer of the row. In columns with ↑ more is better, and a ratio above 1.00 means that h2channel is faster. In columns with ↓ less is better, and a ratio below 1.00 means that h2channel needs less. Another machine gives other figures; the ratios differ less.

${peers}

In the charts, h2channel is green. Ochre bars are limits: they show how fast anything could be. All peers are pure JavaScript: the optional native part of \`ws\`, \`bufferutil\`, is not installed.`
}

function sparedIn({ spared = [] }: Load): string {
  const titles = entries.filter(({ name }) => spared.includes(name)).map(({ title }) => title)
  return titles.length === 0 ? '' : `Only \`--full\` has ${titles.join('; ')} here.`
}

function slower(results: Results): string {
  const lines = defeatsOf(results)
  const list = lines.length === 0 ? 'Nothing.' : lines.map((line) => `- ${line}`).join('\n')
  return `## Where h2channel is slower

Every cell above in which a peer did better than h2channel, with the ratio h2channel ÷ peer.

${list}`
}

function failed(results: Results): string {
  const failures = results.failures()
  if (failures.length === 0) return ''
  return `## What failed

${failures.map(({ case: one, entry, error }) => `- ${one.name}, ${entry.title}: \`${error}\``).join('\n')}`
}

function again({ command }: About): string {
  return `## Reproduce

\`\`\`sh
${command}                              # this page
npx -y pnpm@12 bench stream,echo ws,ours          # some loads, some peers
npx -y pnpm@12 bench --seconds 5 --rounds 9 ping  # longer
\`\`\``
}

async function versionOf({ library }: Entry): Promise<string> {
  if (library === undefined) return ''
  const path = new URL(`../node_modules/${library}/package.json`, import.meta.url)
  return (JSON.parse(await readFile(path, 'utf8')) as { version: string }).version
}
