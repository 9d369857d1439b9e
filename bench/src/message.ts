/** The messages, which all peers send alike. */

/** About 120 bytes of JSON. */
export interface Message {
  readonly id: number
  readonly user: string
  readonly text: string
  readonly ts: number
}

/** 16 bytes: a u32, an f64, a u16, a choice of two and a bool. */
export interface Trade {
  readonly id: number
  readonly price: number
  readonly quantity: number
  readonly side: 'buy' | 'sell'
  readonly last: boolean
}

/** How many different messages there are of each kind. They are made once and sent repeatedly. */
const variety = 1_024

function various<T>(make: (index: number) => T): readonly T[] {
  return Array.from({ length: variety }, (_, index) => make(index))
}

/** Messages with a text of the given length. */
export function messagesOf(length: number): readonly Message[] {
  // Large messages only differ in their id, and few are enough.
  const text = 'Text of plain characters, as people type it. '.repeat(Math.ceil(length / 45))
  return various((index) => {
    const [id, ts] = [123_456 + index, 1_700_000_000_000 + index]
    return {
      id,
      user: 'some-user',
      text: length > 1_000 ? text.slice(0, length) : `${text}${index}`.slice(-length),
      ts,
    }
  })
}

export function piecesOf(length: number): readonly Uint8Array[] {
  const piece = Buffer.alloc(length, 'bytes')
  return various(() => piece)
}

export function trades(): readonly Trade[] {
  return various((index) => {
    const side = index % 3 > 0 ? 'buy' : 'sell'
    return { id: index * 7_919, price: 100 + index / 8, quantity: index, side, last: true }
  })
}

/** What a receiver of published messages gets first: the server knows it now. */
export const greeting: Message = { id: 0, user: 'server', text: 'hello', ts: 0 }

/** Counts and sums up the received messages, so that none can be missing, duplicated or ignored. */
export class Tally {
  count = 0
  sum = 0

  add(message: Message): void {
    this.count += 1
    this.sum += message.id + message.text.length
  }

  addTrade(trade: Trade): void {
    this.count += 1
    this.sum += trade.id + trade.quantity + trade.side.length
  }

  /** For bytes, only their number: some peers do not separate messages. */
  addBytes(bytes: Uint8Array): void {
    this.count += bytes.length
    this.sum += bytes.length
  }

  /** The answer of a receiver. An id has 32 bits in protobuf. */
  answer(): Message {
    return { id: this.sum % 2 ** 32, user: 'sum', text: '', ts: this.count }
  }
}

/** Throws unless everything has arrived. */
export function check(received: Message | undefined, expected: Tally): void {
  const { id, ts } = expected.answer()
  if (received?.id === id && received.ts === ts) return
  throw new Error(`${ts} were sent with the sum ${id}, but ${received?.ts} arrived with the sum ${received?.id}`)
}
