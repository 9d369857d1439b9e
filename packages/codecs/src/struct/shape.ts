/** The numbers and the boolean, as in the content type. */
export type ScalarName = 'u8' | 'u16' | 'u32' | 'u64' | 'i8' | 'i16' | 'i32' | 'i64' | 'f32' | 'f64' | 'bool'

/** Whether all objects have something of this name, which an assignment may fail to hide. */
export function isInherited(name: string): boolean {
  return name in Object.prototype
}

/** What all types of a field have in common. */
export interface ShapeBase {
  /** As in the content type. */
  readonly name: string
  /** Unit: bytes. */
  readonly size: number
  /** What it takes, in words. */
  readonly range: string
  /** How many records and arrays lie in one another here. 0 for what holds no other type. */
  readonly depth: number
  /** How many types are written down here, this one included. */
  readonly count: number
}

/** A number, a bigint or a boolean. */
export interface Scalar extends ShapeBase {
  readonly kind: 'scalar'
  readonly name: ScalarName
  /** Whether it takes `value`: as it is, or, for `f32`, rounded. */
  accepts(value: unknown): boolean
  /** Writes a value that it accepts. */
  write(view: DataView, at: number, value: never, littleEndian: boolean): void
}

/** Text in UTF-8 with zeros after it, or plain bytes. */
export interface Sized extends ShapeBase {
  readonly kind: 'text' | 'raw'
}

/** One of some names, as its index. */
export interface Choice extends ShapeBase {
  readonly kind: 'choice'
  readonly names: readonly string[]
  readonly indexes: ReadonlyMap<unknown, number>
}

/** Items of one type, one after the other. */
export interface List extends ShapeBase {
  readonly kind: 'array'
  readonly item: Shape
  readonly length: number
}

/** Fields, one after the other. */
export interface RecordShape extends ShapeBase {
  readonly kind: 'record'
  readonly fields: readonly Field[]
}

/** One field of a record, and where in it. */
export interface Field {
  readonly name: string
  readonly shape: Shape
  /** Unit: bytes from the record's start. */
  readonly offset: number
}

/** What a type of a field is inside. */
export type Shape = Scalar | Sized | Choice | List | RecordShape

/** Reads and writes the records of one layout. There is a compiled and an interpreted one, which do the same. */
export interface RecordCode {
  /**
   * Writes a record from byte `at` on, where there is room for it, or throws `ENCODE_FAILED` somewhere in between.
   * `view` and `bytes` are the same memory.
   */
  write(message: object, view: DataView, bytes: Uint8Array, at: number): void

  /** Reads the record that is the `length` bytes from byte `at` on, which are there, or throws `DECODE_FAILED`. */
  read(bytes: Uint8Array, at: number, length: number): unknown
}
