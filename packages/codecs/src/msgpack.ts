export type { ExtensionType, MsgpackExtension, MsgpackOptions } from './msgpack/msgpack.ts'
export { ExtData, extension, msgpack } from './msgpack/msgpack.ts'
