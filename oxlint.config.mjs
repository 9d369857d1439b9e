/**
 * The lint rules. The arrows between the layers are among them: a folder of a package's `src` imports from the folders
 * that it names here, from the files of `src` itself, and from nothing else of the package. ARCHITECTURE.md explains
 * the layers.
 */

/** Runs in browsers and workers too: imports no `node:*`, uses no global of Node. */
const anywhere = (...imports) => ({ imports, portable: true })
const onNode = (...imports) => ({ imports, portable: false })

const layers = {
  conn: {
    runtime: anywhere(),
    waits: anywhere('runtime'),
    core: anywhere('runtime', 'waits'),
    node: onNode('runtime', 'core'),
    transports: onNode('runtime', 'waits', 'core', 'node'),
    http2: onNode('runtime', 'waits', 'core', 'node', 'transports'),
    conformance: onNode('runtime', 'core'),
    testing: onNode('runtime', 'core', 'http2'),
  },
  codecs: {
    core: anywhere(),
    text: anywhere('core'),
    schema: anywhere('core'),
    basic: anywhere('core'),
    json: anywhere('core', 'text', 'schema'),
    msgpack: anywhere('core', 'text', 'schema'),
    struct: anywhere('core', 'text'),
    testing: onNode('core'),
  },
  channel: {
    runtime: anywhere(),
    framing: anywhere('runtime'),
    core: anywhere('runtime', 'framing'),
    link: anywhere('runtime', 'core'),
    route: anywhere('runtime', 'framing', 'core'),
    observe: onNode('runtime', 'core'),
    limits: onNode('runtime', 'core', 'link', 'route', 'observe'),
    request: onNode('runtime', 'core', 'link', 'route', 'observe', 'limits'),
    server: onNode('runtime', 'core', 'route', 'observe', 'limits', 'request'),
    client: onNode('runtime', 'framing', 'core', 'link', 'route', 'observe'),
    testing: onNode('runtime', 'framing', 'core', 'route', 'server', 'client'),
  },
}

/** Files that run anywhere, although their folder does not, or has none. */
const portableFiles = {
  conn: ['{errors,limits,internal,web}.ts', 'transports/{web-streams,memory-pipe}.ts'],
  codecs: ['*.ts'],
  channel: ['{errors,options,index}.ts', 'testing/{channel-pair,test-clock}.ts'],
}

const notOfWorkspace = { group: ['@h2channel/*'], message: 'conn and codecs import nothing of the workspace.' }
const notOfNode = { group: ['node:*'], message: 'This runs in browsers and workers too.' }
const notConnOnNode = {
  group: ['@h2channel/conn', '@h2channel/conn/testing'],
  allowTypeImports: true,
  message: 'This runs in browsers and workers too: import @h2channel/conn/web or /internal.',
}

const notCodecs = {
  group: ['@h2channel/codecs', '@h2channel/codecs/*', '!@h2channel/codecs/internal'],
  allowTypeImports: true,
  message: 'A program loads only the codecs that it imports: import @h2channel/codecs/internal.',
}

const fakeable = [
  'setImmediate',
  'setInterval',
  'setTimeout',
  'clearImmediate',
  'clearInterval',
  'clearTimeout',
  'performance',
  'queueMicrotask',
].map((name) => ({ name, message: 'The fake timers of a test runner would break it: take it from runtime/.' }))

/** Of several overrides that name one rule for a file, the last one counts, so that each says all of the rule. */
function rules(pkg, portable, forbidden) {
  const patterns = [pkg === 'channel' ? notCodecs : notOfWorkspace]
  if (portable) patterns.push(notOfNode, ...(pkg === 'channel' ? [notConnOnNode] : []))
  const group = forbidden.map((folder) => `**/${folder}/*`)
  if (group.length > 0) patterns.push({ group, message: 'A layer imports from the layers below it alone.' })
  return {
    'no-restricted-imports': ['error', { patterns }],
    'no-restricted-globals': ['error', ...(portable ? ['Buffer', 'process'] : []), ...fakeable],
  }
}

const arrows = Object.entries(layers).flatMap(([pkg, folders]) => {
  const names = Object.keys(folders)
  const src = `packages/${pkg}/src`
  return [
    { files: [`${src}/*.ts`], rules: rules(pkg, false, []) },
    ...names.map((name) => {
      const { imports, portable } = folders[name]
      const above = names.filter((other) => other !== name && !imports.includes(other))
      return { files: [`${src}/${name}/**`], rules: rules(pkg, portable, above) }
    }),
    ...portableFiles[pkg].map((glob) => {
      // transports and testing have files of both kinds: the rules of those files keep them apart.
      const above = names.filter((name) => !folders[name].portable && name !== 'transports' && name !== 'testing')
      return { files: [`${src}/${glob}`], rules: rules(pkg, true, above) }
    }),
  ]
})

export default {
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise', 'vitest'],
  categories: { correctness: 'error', suspicious: 'error', perf: 'error' },
  env: { es2024: true },
  ignorePatterns: ['dist', 'coverage', 'test/.documents'],
  rules: {
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/await-thenable': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-non-null-assertion': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'typescript/no-extraneous-class': ['error', { allowWithDecorator: true }],
    'typescript/no-unsafe-type-assertion': 'off',
    'import/no-cycle': ['error', { ignoreTypes: false }],
    eqeqeq: 'error',
    'no-console': 'error',
    'no-await-in-loop': 'off',
    'no-unused-private-class-members': 'off',
    'oxc/no-map-spread': 'off',
    'promise/always-return': 'off',
    'promise/no-callback-in-promise': 'off',
    'typescript/consistent-return': 'off',
    'typescript/unbound-method': 'off',
    'unicorn/consistent-function-scoping': 'off',
  },
  overrides: [
    ...arrows,
    {
      files: ['examples/**', 'interop/**', 'spec/**', 'test/**'],
      rules: {
        'no-restricted-imports': [
          'error',
          { patterns: [{ group: ['**/packages/**', '@h2channel/*/src/*'], message: 'Public exports only.' }] },
        ],
      },
    },
    { files: ['examples/**', 'scripts/**', 'bench/**', 'spec/**', 'test/**'], rules: { 'no-console': 'off' } },
  ],
}
