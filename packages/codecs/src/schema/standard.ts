/**
 * The part of Standard Schema, version 1, that codecs use. zod, valibot, arktype and others implement it. See
 * https://standardschema.dev.
 *
 * @typeParam Input - what the schema accepts.
 * @typeParam Output - what it hands out: the same, or with defaults filled in, trimmed, branded.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** What a schema says about a value: the message, or what is wrong with it. */
export type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] }

/** One thing that a schema has against a value, as the schema's library puts it. */
export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}
