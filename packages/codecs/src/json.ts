export { json } from './json/json.ts'
export type { JsonOptions } from './json/json.ts'
