import { defineConfig } from 'vitest/config'

// A separate configuration, because it needs a browser.
export default defineConfig({
  root: import.meta.dirname,
  cacheDir: '../../node_modules/.vite',
  resolve: { conditions: ['@h2channel/source'] },
  ssr: { resolve: { conditions: ['@h2channel/source', 'node', 'module', 'import', 'default'] } },
  test: {
    name: 'browser',
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/chromium.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
})
