/** How the code is laid out: what ARCHITECTURE.md says about it, and the bounds that keep it readable. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

import { read, root } from './documents.ts'

const packages = ['conn', 'codecs', 'channel']

/** The source files of a package, by their paths below `src`. */
function sourcesOf(name: string): string[] {
  const src = join(root, 'packages', name, 'src')
  return readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'))
}

describe.each(packages)('the sources of %s', (name) => {
  test('are the files that ARCHITECTURE.md lists', () => {
    const [, section = ''] = read('ARCHITECTURE.md').split(`**\`packages/${name}/src\`**`)
    const [table = ''] = section.split(/^(?:##|\*\*`packages)/m)
    const listed = [...table.matchAll(/^\| `([\w/-]+\.ts)`/gm)].map((found) => found[1])
    expect(new Set(listed)).toEqual(new Set(sourcesOf(name)))
    expect(listed).toHaveLength(sourcesOf(name).length)
  })
})
