interface AsyncHooks {
  readonly AsyncLocalStorage: { snapshot(): <Result>(run: () => Result) => Result }
}

const { process } = globalThis as {
  readonly process?: { readonly getBuiltinModule?: (name: 'node:async_hooks') => AsyncHooks | undefined }
}

/**
 * Runs `run` in the asynchronous context in which this module was loaded, where there are such contexts: outside of any caller's
 * `AsyncLocalStorage.run`. What is made in a caller's context keeps the caller's store for as long as it lives, and hands it
 * on to all that it starts. So whatever serves several callers, or outlives one, is made out here.
 */
export const outside: <Result>(run: () => Result) => Result =
  process?.getBuiltinModule?.('node:async_hooks')?.AsyncLocalStorage.snapshot() ?? ((run) => run())
