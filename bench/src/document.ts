import type { Load } from './cases.ts'
import type { Results } from './results.ts'

export async function writeDocument(
  results: Results,
  loads: readonly Load[],
  about: { readonly circumstances: string; readonly command: string },
): Promise<void> {
  void results
  void loads
  void about
}
