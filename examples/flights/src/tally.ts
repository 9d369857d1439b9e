import type { Flight, Summary } from './routes.ts'

/** Adds flights up by the hour. Delays are whole minutes, so the sums are exact in any order. */
export class Tally {
  count = 0
  readonly #hours = Array.from({ length: 24 }, () => ({ flights: 0, delay: 0 }))

  add(flight: Flight): void {
    const hour = this.#hours[Math.floor(flight.time)]
    if (hour === undefined) throw new RangeError(`a day has no hour ${flight.time}`)
    hour.flights += 1
    hour.delay += flight.delay
    this.count += 1
  }

  summary(final: boolean): Summary {
    const hours = this.#hours.map(({ flights, delay }) => ({
      flights,
      meanDelay: flights === 0 ? null : delay / flights,
    }))
    return { count: this.count, final, hours }
  }
}
