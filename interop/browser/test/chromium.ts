import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

import { needs } from '../../needs.ts'

/** Checks before all tests whether the browser is installed. */
export default function setup(): void {
  chromiumPath()
}

/** Chromium, or a browser based on it. */
export function chromiumPath(): string {
  const names = ['chromium', 'chromium-browser', 'google-chrome']
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const paths = folders.flatMap((folder) => names.map((name) => join(folder, name)))
  const found = process.env['CHROMIUM'] ?? paths.find(isProgram)
  needs(
    found === undefined
      ? 'the browser tests need Chromium on the PATH (Debian: apt-get install chromium), or CHROMIUM'
      : '',
  )
  return found ?? ''
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
