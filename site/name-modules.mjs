/** A plugin of TypeDoc: a module has the name by which a program imports it, not that of its file. */
import { Converter, ReflectionKind } from 'typedoc'

import { entries } from './typedoc.mjs'

export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (_context, reflection) => {
    if (!reflection.kindOf(ReflectionKind.Module)) return
    const entry = entries.find(({ file }) => file.replace(/^\.\.\/|(?:\/index)?\.ts$/g, '') === reflection.name)
    if (entry === undefined) throw new Error(`no entry point has the file ${reflection.name}`)
    reflection.name = entry.name
  })
}
