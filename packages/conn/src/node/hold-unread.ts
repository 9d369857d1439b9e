import type { Http2Stream } from 'node:http2'

import { inOwnMemory } from '../core/own-memory.ts'
import { Pages } from './pages.ts'

/**
 * Has what comes on a stream that nobody reads yet lie in memory of its own, in as few pieces as may be: Node would keep the
 * packets in which it came, and with 20 bytes all else that is in theirs. It is for a server that takes its time to
 * decide whether it accepts a request.
 *
 * @returns ends that. To be called before anybody reads, such as `accept`.
 */
export function holdUnread(stream: Http2Stream): () => void {
  const { push } = stream
  let pages: Pages | undefined
  const pushKept = (): void => {
    const kept = pages?.take()
    if (kept !== undefined) push.call(stream, kept)
  }
  stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (!isBytes(chunk)) {
      pushKept()
      return push.call(stream, chunk, encoding)
    }
    if (Pages.accepts(chunk)) {
      pages ??= new Pages()
      const full = pages.add(chunk)
      if (full !== undefined) push.call(stream, full)
      return false
    }
    pushKept()
    return push.call(stream, inOwnMemory(chunk))
  }
  return () => {
    stream.push = push
    pushKept()
  }
}

/** Node's chunks are of its own realm, which is not that of a test runner's sandbox. */
function isBytes(chunk: unknown): chunk is Uint8Array {
  return ArrayBuffer.isView(chunk)
}
