import { z } from 'zod'

/** The schema of a message, for peers that validate what they receive. */
export const Checked = z.object({ id: z.number(), user: z.string(), text: z.string(), ts: z.number() })
