import type { TestProjectConfiguration } from 'vitest/config'
import { defineConfig } from 'vitest/config'

// One project for each kind of peer, so each can run without what the others need: `--project go`. The proxies have
// their own configuration.
export default defineConfig({
  root: import.meta.dirname,
  cacheDir: '../node_modules/.vite',
  resolve: { conditions: ['@h2channel/source'] },
  ssr: { resolve: { conditions: ['@h2channel/source', 'node', 'module', 'import', 'default'] } },
  test: {
    // Each test has the machine to itself: some of them load it fully.
    fileParallelism: false,
    testTimeout: 20_000,
    projects: [
      project('go', ['go/test/setup.ts']),
      project('python', ['python/test/setup.ts']),
      project('rust', ['rust/test/setup.ts']),
      project('vectors', ['go/test/setup.ts', 'python/test/setup.ts']),
      project('chat', []),
      project('conformance', ['go/test/setup.ts', 'python/test/setup.ts']),
    ],
  },
})

/** The tests of a folder, and the setup that builds the programs that they need. */
function project(name: string, globalSetup: string[]): TestProjectConfiguration {
  return { extends: true, test: { name, include: [`${name}/test/**/*.test.ts`], globalSetup } }
}
