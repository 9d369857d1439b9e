/** Fails with a sentence that names what is missing, without a stack. */
export function needs(problem: string): void {
  if (problem !== '') throw Object.assign(new Error(problem), { stack: problem })
}
