const compiler: { isForbidden?: boolean } = {}

/** Whether the platform compiles code, which the content security policy of a page may forbid. */
export function canCompile(): boolean {
  return compiler.isForbidden === undefined ? new Source().compile([]) !== undefined : !compiler.isForbidden
}

/** Whether all objects have a property of this name. An assignment may fail to hide it. */
export function isInherited(name: string): boolean {
  return name in Object.prototype
}

/** Returns a string literal of JavaScript. */
export function quoted(text: string): string {
  // JSON leaves these two as they are, and old parsers of JavaScript take them for the end of a line.
  return JSON.stringify(text)
    .replaceAll('\u2028', String.raw`\u2028`)
    .replaceAll('\u2029', String.raw`\u2029`)
}

/** Code in the making: names for its variables and constructors, and for values that have no text. */
export class Source {
  /** The lines that make all constructors. */
  readonly #constructors: string[] = []
  readonly #constants = new Map<unknown, string>()
  #variables = 0

  /** The name by which the code knows `value`. */
  constant(value: unknown): string {
    const known = this.#constants.get(value)
    if (known !== undefined) return known
    const name = `c${this.#constants.size}`
    this.#constants.set(value, name)
    return name
  }

  /** A call of a function of this package. */
  call(run: unknown, ...given: unknown[]): string {
    return `${this.constant(run)}(${given.join(', ')})`
  }

  /** A new name. */
  variable(): string {
    return `v${this.#variables++}`
  }

  /**
   * The name of a constructor of objects with these fields, given in their order. The objects are plain, as from an
   * object literal, but have a hidden class for themselves. The program may make literals with the same fields. If they
   * shared one hidden class, V8 might convert each object again at its first use, at up to four times the cost of
   * reading it.
   */
  constructorOf(fields: readonly string[]): string {
    const name = `Message${this.#constructors.length}`
    const given = fields.map((_, index) => `f${index}`)
    // An assignment would call a setter that all objects have by then.
    const isInheritedNow = fields.map((field) => `${quoted(field)} in this`).join(' || ')
    const literal = `return {${fields.map((field, index) => `${quoted(field)}: f${index}`).join()}}`
    const lines = fields.some(isInherited)
      ? [literal]
      : [
          ...(fields.length === 0 ? [] : [`if (${isInheritedNow}) ${literal}`]),
          ...fields.map((field, index) => `this[${quoted(field)}] = f${index}`),
        ]
    this.#constructors.push(
      `function ${name}(${given.join()}) {\n${lines.join('\n')}\n}\n${name}.prototype = Object.prototype`,
    )
    return name
  }

  /**
   * Compiles a function body that begins with all constants and constructors, and runs it. Returns `undefined` where
   * the platform forbids that. A page gets a report of each violation, so the first refusal is the last attempt.
   *
   * A program must choose nothing of `body` but texts that are {@link quoted} or checked.
   */
  compile(body: readonly string[]): unknown {
    if (compiler.isForbidden === true) return undefined
    const constants = [...this.#constants.keys()]
    const names = constants.map((_, index) => `const c${index} = constants[${index}]`)
    const code = ["'use strict'", ...names, ...this.#constructors, ...body]
    try {
      // oxlint-disable-next-line typescript/no-implied-eval -- all texts that a program chooses are in quotes
      const make = new Function('constants', code.join('\n'))
      compiler.isForbidden = false
      return make(constants) ?? true
    } catch (error) {
      // The name, since the error may be of another realm.
      if ((error as { readonly name?: unknown } | null)?.name === 'EvalError') compiler.isForbidden = true
      return undefined
    }
  }
}
