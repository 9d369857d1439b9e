/**
 * The part of Standard Schema, version 1, that codecs use. zod, valibot, arktype and others implement it. See
 * https://standardschema.dev.
 *
 * @typeParam Input - the type that the schema accepts.
 * @typeParam Output - the type that it returns: the input, perhaps with defaults filled in, trimmed or branded.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** The result of a validation: the message, or its issues. */
export type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] }

/** One reason why a value is invalid, as the library of the schema reports it. */
export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}
