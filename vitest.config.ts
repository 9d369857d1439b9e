import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  // The workspace's own packages resolve from their sources, so that tests need no build.
  resolve: { conditions: ['@h2channel/source'] },
  ssr: { resolve: { conditions: ['@h2channel/source', 'node', 'import', 'default'] } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'examples/*/test/**/*.test.ts', 'spec/test/*.test.ts', 'test/*.test.ts'],
    testTimeout: 20_000,
    // Each case by its name: what a conn does is shown for every carrier.
    reporters: ['verbose'],
    // Many tests wait for sockets and timers, and leave a processor to others.
    maxWorkers: availableParallelism() + 1,
    coverage: {
      provider: 'v8',
      include: ['packages/*/src/**'],
      reporter: ['text', 'json-summary'],
      thresholds: { lines: 95 },
    },
  },
})
