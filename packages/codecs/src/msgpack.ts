export { extension } from './msgpack/extension.ts'
export type { ExtensionType, MsgpackExtension } from './msgpack/extension.ts'
export { ExtData, msgpack } from './msgpack/msgpack.ts'
export type { MsgpackOptions } from './msgpack/msgpack.ts'
