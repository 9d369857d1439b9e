import { defineConfig } from 'vitest/config'

// One project for each kind of peer, so that one can be run without what the others need: `--project go`. The proxies have
// a configuration of their own.
export default defineConfig({
  root: import.meta.dirname,
  cacheDir: '../node_modules/.vite',
  resolve: { conditions: ['@h2channel/source'] },
  ssr: { resolve: { conditions: ['@h2channel/source', 'node', 'module', 'import', 'default'] } },
  test: {
    // Each test has the machine for itself: some of them load it fully.
    fileParallelism: false,
    testTimeout: 20_000,
    projects: [
      { extends: true, test: { name: 'go', include: ['go/test/**/*.test.ts'], globalSetup: ['go/test/setup.ts'] } },
    ],
  },
})
