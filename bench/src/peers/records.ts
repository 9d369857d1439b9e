/** Hand-written records of 16 bytes: a DataView, a loop, and no checks. */
import type { Trade } from '../message.ts'

const size = 16
const batch = 64 * 1024

export class RecordWriter {
  #buffer = Buffer.allocUnsafeSlow(batch)
  #view = new DataView(this.#buffer.buffer)
  #at = 0

  /** Returns the batch when it is full. */
  add({ id, price, quantity, side, last }: Trade): Buffer | undefined {
    const [view, at] = [this.#view, this.#at]
    view.setUint32(at, id)
    view.setFloat64(at + 4, price)
    view.setUint16(at + 12, quantity)
    view.setUint8(at + 14, side === 'buy' ? 0 : 1)
    view.setUint8(at + 15, last ? 1 : 0)
    this.#at = at + size
    return this.#at === batch ? this.take() : undefined
  }

  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#at)
    this.#buffer = Buffer.allocUnsafeSlow(batch)
    this.#view = new DataView(this.#buffer.buffer)
    this.#at = 0
    return taken
  }
}

export class RecordReader {
  #rest: Buffer = Buffer.alloc(0)
  readonly #take: (trade: Trade) => void

  constructor(take: (trade: Trade) => void) {
    this.#take = take
  }

  read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    let at = 0
    for (; at + size <= bytes.length; at += size) {
      this.#take({
        id: view.getUint32(at),
        price: view.getFloat64(at + 4),
        quantity: view.getUint16(at + 12),
        side: view.getUint8(at + 14) === 0 ? 'buy' : 'sell',
        last: view.getUint8(at + 15) === 1,
      })
    }
    this.#rest = bytes.subarray(at)
  }
}
