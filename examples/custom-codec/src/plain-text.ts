import type { Codec } from '@h2channel/codecs'
import { CodecError } from '@h2channel/codecs'

const utf8 = { encoder: new TextEncoder(), decoder: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }) }

/** Messages that are text, in UTF-8. */
export const plainText: Codec<string> = {
  name: 'plain-text',
  contentType: 'application/vnd.example.text',
  encode(message, out) {
    if (/\p{Surrogate}/u.test(message)) throw new CodecError('ENCODE_FAILED', 'UTF-8 has no lone surrogates')
    out.write(utf8.encoder.encode(message))
  },
  decode(bytes) {
    try {
      return utf8.decoder.decode(bytes)
    } catch (cause) {
      throw new CodecError('DECODE_FAILED', 'the message is not UTF-8', { cause })
    }
  },
}
