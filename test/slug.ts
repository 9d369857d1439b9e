/** The anchor that GitHub gives a heading: small letters, digits, `_` and `-` of its text. The site gives the same. */
export function slugOf(text: string): string {
  return text
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-')
}
