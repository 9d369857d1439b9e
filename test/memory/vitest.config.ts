import { defineConfig } from 'vitest/config'

// Apart from the other tests: it measures processes, which have the machine for themselves.
export default defineConfig({
  root: import.meta.dirname,
  cacheDir: '../../node_modules/.vite',
  test: { include: ['memory.test.ts'], testTimeout: 60_000, reporters: ['verbose'] },
})
