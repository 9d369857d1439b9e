interface AsyncHooks {
  readonly AsyncLocalStorage: { snapshot(): <Result>(run: () => Result) => Result }
}

const { process } = globalThis as {
  readonly process?: { readonly getBuiltinModule?: (name: 'node:async_hooks') => AsyncHooks | undefined }
}

/**
 * Runs `run` in the asynchronous context in which this module was loaded, outside of any caller's
 * `AsyncLocalStorage.run`.
 *
 * An object that is created in a caller's context keeps the caller's store for as long as it lives, and passes the
 * store to everything that it starts. Objects that serve several callers, or outlive one, are therefore created here.
 */
export const runInRootContext: <Result>(run: () => Result) => Result =
  process?.getBuiltinModule?.('node:async_hooks')?.AsyncLocalStorage.snapshot() ?? ((run) => run())
