/** Pages that are still to be written or shortened. */
export const pending = new Set<string>(['docs/operate/proxies.md'])
