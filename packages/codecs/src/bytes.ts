export { bytes } from './basic/bytes.ts'
