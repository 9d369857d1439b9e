/** The three packages as npm gets them: what their manifests must say, and their tarballs. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** In the order in which they are published: a package comes after the packages that it depends on. */
export const packages = ['conn', 'codecs', 'channel'] as const

export type PackageName = (typeof packages)[number]

const repository = 'https://github.com/h2channel/h2channel'
const filesOfAll = ['LICENSE', 'NOTICE', 'README.md', 'dist/index.js', 'dist/index.d.ts', 'dist/index.js.map']
const tools = fileURLToPath(new URL('../node_modules/.bin/', import.meta.url))

export interface Manifest {
  readonly version: string
  readonly [field: string]: unknown
}

export function manifestOf(root: string, name: PackageName): Manifest {
  return JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as Manifest
}

/** What is wrong with the files of a package from which npm makes its page. */
export function faultsOf(root: string, name: PackageName): string[] {
  const manifest = manifestOf(root, name)
  const wanted = {
    name: `@h2channel/${name}`,
    license: 'Apache-2.0',
    homepage: `${repository}/tree/main/packages/${name}#readme`,
    bugs: { url: `${repository}/issues` },
    repository: { type: 'git', url: `git+${repository}.git`, directory: `packages/${name}` },
    publishConfig: { access: 'public', provenance: true },
  }
  const wrong = Object.entries(wanted).flatMap(([field, value]) =>
    JSON.stringify(manifest[field]) === JSON.stringify(value)
      ? []
      : [`packages/${name}/package.json: ${field} is not ${JSON.stringify(value)}`],
  )
  const copies = ['LICENSE', 'NOTICE'].flatMap((file) =>
    readFileSync(join(root, file), 'utf8') === readFileSync(join(root, 'packages', name, file), 'utf8')
      ? []
      : [`packages/${name}/${file} differs from the root's`],
  )
  const readme = readFileSync(join(root, 'packages', name, 'README.md'), 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '')
  const relative = [...readme.matchAll(/\]\((?!https:|#)([^)]*)\)/g)].map((found) => found[1] ?? '')
  const links = relative.map((link) => `packages/${name}/README.md: npm's page needs an absolute link for ${link}`)
  return [...wrong, ...copies, ...links]
}

/** Removes what earlier builds left: a file without a source would get into a tarball. */
export function removeBuilds(root: string): void {
  for (const name of packages) rmSync(join(root, 'packages', name, 'dist'), { recursive: true, force: true })
}

/** As npm shows it: https://www.w3.org/TR/SRI. */
export function integrityOf(file: string): string {
  return `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`
}

/** Packs one package and checks the tarball: its files, publint, attw. Returns its path. */
export function pack(root: string, name: PackageName, destination: string): string {
  run('npx', ['-y', 'pnpm@12', 'pack', '--pack-destination', destination], join(root, 'packages', name))
  const tarball = `h2channel-${name}-${manifestOf(root, name).version}.tgz`
  const path = join(destination, tarball)
  if (!existsSync(path)) throw new Error(`no ${tarball}`)
  const listing = execFileSync('tar', ['-tzf', path], { encoding: 'utf8' })
  const missing = filesOfAll.filter((file) => !listing.includes(`package/${file}\n`))
  if (missing.length > 0) throw new Error(`${tarball} lacks ${missing.join(', ')}`)
  if (/package\/(test|dist\/\.tsbuildinfo)/.test(listing)) throw new Error(`${tarball} has unnecessary files`)
  console.log(`publint ${name}`)
  run(join(tools, 'publint'), ['run', '--strict', path], root)
  console.log(`attw ${name}`)
  run(join(tools, 'attw'), ['--profile', 'esm-only', path], root)
  return path
}

function run(command: string, parameters: readonly string[], cwd: string): void {
  execFileSync(command, parameters, { cwd, stdio: 'inherit' })
}
