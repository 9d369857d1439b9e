export { bytes } from './basic/bytes.ts'
export { allocateBytes, ByteWriter } from './core/byte-writer.ts'
export type { Codec, MessageOf, MessageReader } from './core/codec.ts'
export { CodecError, codecErrorCodes } from './core/errors.ts'
export type { CodecErrorCode, CodecErrorOptions, CodecIssue } from './core/errors.ts'
export { json } from './json/json.ts'
export { ExtData, extension, msgpack } from './msgpack/msgpack.ts'
export type { ExtensionType, MsgpackExtension, MsgpackOptions } from './msgpack/msgpack.ts'
export { oneOf } from './basic/one-of.ts'
export type { SchemaIssue, SchemaResult, StandardSchema } from './schema/standard.ts'
export { converter, validator } from './schema/schema.ts'
export type { Converter, NoWayBack, OutputOf, Schema, SchemaOptions, TwoWay } from './schema/schema.ts'
export {
  array,
  bool,
  choice,
  f32,
  f64,
  i16,
  i32,
  i64,
  i8,
  raw,
  struct,
  text,
  u16,
  u32,
  u64,
  u8,
} from './struct/struct.ts'
export type {
  AnyFieldType,
  FieldType,
  FieldValue,
  StructLayout,
  StructMessage,
  StructOptions,
} from './struct/struct.ts'
