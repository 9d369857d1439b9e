import { defineConfig } from 'vitest/config'

// Separate from the other tests: it measures processes, which need the machine to themselves.
export default defineConfig({
  root: import.meta.dirname,
  cacheDir: '../../node_modules/.vite',
  test: { include: ['memory.test.ts'], testTimeout: 60_000, reporters: ['verbose'] },
})
