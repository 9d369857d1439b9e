/** The API reference: each entry point of each package is a page of docs/api. */
import { readFileSync } from 'node:fs'

const packages = ['channel', 'codecs', 'conn']

/** The source file of each entry point, and the name by which a program imports it. */
const entries = packages.flatMap((name) => {
  const manifest = JSON.parse(readFileSync(new URL(`../packages/${name}/package.json`, import.meta.url), 'utf8'))
  return Object.entries(manifest.exports).flatMap(([path, { '@h2channel/source': source } = {}]) =>
    source === undefined
      ? []
      : [{ file: `../packages/${name}/${source.slice('./'.length)}`, name: `@h2channel/${name}${path.slice(1)}` }],
  )
})

/** @type {Partial<import('typedoc').TypeDocOptions>} */
export default {
  name: 'API',
  entryPoints: entries.map(({ file }) => file),
  tsconfig: 'tsconfig.json',
  plugin: ['typedoc-plugin-markdown', './name-modules.mjs'],
  out: '../docs/api',
  router: 'module',
  entryFileName: 'index',
  readme: 'none',
  githubPages: false,
  hideBreadcrumbs: true,
  hidePageHeader: true,
  excludeExternals: true,
  excludeInternal: true,
  excludePrivate: true,
  disableGit: true,
  basePath: '..',
  sourceLinkTemplate: 'https://github.com/h2channel/h2channel/blob/main/packages/{path}#L{line}',
  useCodeBlocks: true,
  useHTMLAnchors: true,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  validation: { notExported: false, invalidLink: true, notDocumented: true },
  requiredToBeDocumented: ['Function', 'Class', 'Interface', 'TypeAlias', 'Variable', 'Enum'],
  treatValidationWarningsAsErrors: true,
  logLevel: 'Warn',
}

export { entries }
