import type { Http2Stream } from 'node:http2'

import { inOwnMemory } from '../core/own-memory.ts'
import { isBytes, Pages } from './pages.ts'

/**
 * Copies what arrives on an unread stream into memory of its own, in few pieces. Node would keep the packets in which
 * it arrived: for 20 bytes, everything else in their packet. Use it in a server that needs time to decide whether it
 * accepts a request.
 *
 * @returns a function that stops it. Call it before anything reads the stream, such as `accept`.
 */
export function holdUnread(stream: Http2Stream): () => void {
  const { push } = stream
  let pages: Pages | undefined
  const pushPage = (): void => {
    const page = pages?.take()
    if (page !== undefined) push.call(stream, page)
  }
  stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (!isBytes(chunk)) {
      pushPage()
      return push.call(stream, chunk, encoding)
    }
    if (Pages.accepts(chunk)) {
      pages ??= new Pages()
      const full = pages.add(chunk)
      if (full !== undefined) push.call(stream, full)
      return false
    }
    pushPage()
    return push.call(stream, inOwnMemory(chunk))
  }
  return () => {
    stream.push = push
    pushPage()
  }
}
