/** Fails with a sentence that says what is missing. Where it was thrown helps nobody. */
export function needs(problem: string): void {
  if (problem !== '') throw Object.assign(new Error(problem), { stack: problem })
}
