/** Tells the native handle of a socket to read. Node has no public call for it. Returns whether it does. */
export function startReading(socket: object): boolean {
  const { _handle: handle } = socket as { readonly _handle?: { readStart?(): unknown } | null }
  return handle?.readStart?.() === 0
}
