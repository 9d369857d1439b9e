/** The header by which a peer announces that it understands control frames, and of which version. */
export const announcement = 'h2channel'

/** The version of SPEC.md that this package speaks. */
export const version = '1'

/** Whether a header's value announces a version that this one gets along with: any, since unknown frames are passed over. */
export function isAnnounced(value: string | readonly string[] | undefined): boolean {
  return typeof value === 'string' && /^[1-9]\d{0,8}$/.test(value)
}
