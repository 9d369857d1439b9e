/** Calls a hook that only reports. When it throws or rejects, `failure` and the error are printed, and that is all. */
export function callHook(failure: string, hook: () => unknown): void {
  const onFailure = (error: unknown): void => printError(failure, error)
  try {
    // It may be asynchronous, whatever its type says.
    Promise.resolve(hook()).catch(onFailure)
  } catch (error) {
    onFailure(error)
  }
}

/** Prints an error that the program would lose otherwise. */
export function printError(what: string, error: unknown): void {
  // oxlint-disable-next-line no-console -- without a hook of the user, the console is the only place for it.
  console.error(`h2channel: ${what}:`, error)
}
