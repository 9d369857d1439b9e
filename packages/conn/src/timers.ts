/**
 * The timers as they were when this module was loaded. A test runner that puts fake ones in their place does so later, for the
 * program under test: what keeps a connection alive goes by the real time.
 */
export const setTimeout: typeof globalThis.setTimeout = globalThis.setTimeout
export const clearTimeout: typeof globalThis.clearTimeout = globalThis.clearTimeout
export const setInterval: typeof globalThis.setInterval = globalThis.setInterval
export const clearInterval: typeof globalThis.clearInterval = globalThis.clearInterval
export const setImmediate: typeof globalThis.setImmediate = globalThis.setImmediate
