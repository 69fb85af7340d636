export type Chooser = { below(limit: number): number; one<T>(from: readonly T[]): T }

/** Chooses at random, and the same again for the same seed: mulberry32, small and good enough. */
export function chooser(seed: number): Chooser {
  let state = seed * 0x9e3779b9
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return { below, one: (from) => from[below(from.length)] as (typeof from)[number] }
}
