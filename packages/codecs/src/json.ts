export { json } from './json/json.ts'
