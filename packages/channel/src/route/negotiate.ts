/** The header by which a peer announces that it understands control frames, and which version of them. */
export const controlHeader = 'h2channel'

/** The version of SPEC.md that this package speaks. */
export const version = '1'

/** Whether the value of a control header announces a version. Any is compatible, since unknown frames are ignored. */
export function supportsControl(value: string | readonly string[] | undefined): boolean {
  return typeof value === 'string' && /^[1-9]\d{0,8}$/.test(value)
}
