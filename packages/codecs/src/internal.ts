/**
 * For `@h2channel/channel` alone: this module does not follow semantic versioning. It has what a channel needs of
 * codecs, so that a program loads only the codecs that it imports itself.
 */
export { allocateBytes, ByteWriter } from './core/byte-writer.ts'
export { CodecError } from './core/errors.ts'
