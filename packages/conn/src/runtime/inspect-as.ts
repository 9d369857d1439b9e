const inspect = Symbol.for('nodejs.util.inspect.custom')

/**
 * Makes the properties by which `console.log`, `util.inspect` and `JSON.stringify` show the result of `form` instead of
 * the object itself. Headers, and the queries of paths, may hold credentials that no log should have.
 */
export function inspectAs<T extends object>(form: (object: T) => object): PropertyDescriptorMap & ThisType<T> {
  function show(this: T): object {
    return form(this)
  }
  return { toJSON: { value: show }, [inspect]: { value: show } }
}
