import { defineConfig } from 'vitest/config'

export default defineConfig({
  // The workspace's own packages resolve from their sources, so tests need no build.
  resolve: { conditions: ['@h2channel/source'] },
  ssr: { resolve: { conditions: ['@h2channel/source', 'node', 'module', 'import', 'default'] } },
  test: {
    include: ['interop/proxies/test/**/*.test.ts'],
    globalSetup: ['interop/proxies/test/setup.ts'],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
