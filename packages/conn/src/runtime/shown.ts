/** Where `util.inspect`, and so `console.log`, asks what to show. */
const inspected = Symbol.for('nodejs.util.inspect.custom')

/**
 * The properties by which logs and JSON show of an object what `form` makes of it, instead of all that it has: headers, and the
 * queries of paths, may hold credentials.
 */
export function shownAs<T extends object>(form: (object: T) => object): PropertyDescriptorMap & ThisType<T> {
  function show(this: T): object {
    return form(this)
  }
  return { toJSON: { value: show }, [inspected]: { value: show } }
}
