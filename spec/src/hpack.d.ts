/** The part of `hpack.js` that is used, which has no types. */
declare module 'hpack.js' {
  interface Field {
    readonly name: string
    readonly value: string
  }
  interface Decompressor {
    write(block: Uint8Array): void
    execute(): void
    read(): Field | null
  }
  const hpack: { readonly decompressor: { create(options: { table: { size: number } }): Decompressor } }
  export default hpack
}
