/** Clock of this process, which may go by that of a server. */
export type Clock = {
  /** Milliseconds since the epoch. */
  now(): number
  /** Asks a server, and goes by its clock from then on; by the one of before where it has none. */
  following<T extends { readonly storeNow: number | null }>(ask: () => Promise<T>): Promise<T>
}

/** A reading that took longer says only between which two times the clock must be. */
const longestReadingMs = 1000

/** Makes a clock that goes by `own` until it is told another one: replicas on one store go by the clock of its server. */
export function createClock(own: () => number): Clock {
  let offset = 0
  return {
    now: () => own() + offset,
    async following(ask) {
      const before = own()
      const answer = await ask()
      const after = own()
      if (answer.storeNow === null || after < before) return answer
      const [least, most] = [answer.storeNow - after, answer.storeNow - before]
      offset =
        after - before <= longestReadingMs
          ? Math.round((least + most) / 2)
          : Math.min(most, Math.max(least, offset))
      return answer
    },
  }
}
