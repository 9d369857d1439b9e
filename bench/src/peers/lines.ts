import type { Readable } from 'node:stream'

import type { Message } from '../message.ts'

/** Calls `take` for each message of a stream of JSON lines. */
export function eachLine(stream: Readable, take: (message: Message) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      const line = start === 0 ? rest + text.slice(0, end) : text.slice(start, end)
      if (start === 0) rest = ''
      take(JSON.parse(line) as Message)
      start = end + 1
    }
    rest += start === 0 ? text : text.slice(start)
  })
}

export function lineOf(message: Message): string {
  return `${JSON.stringify(message)}\n`
}
