/** Next time of a schedule after this one, milliseconds since the epoch; null when it never comes. */
export type NextTime = (after: number) => number | null

/**
 * Times of a sweep that have come since the last one that was seen to. `run`: the one that is asked for now; null for none.
 * `missed`: how many more have passed, with the last of them.
 */
export type DueTimes = {
  readonly run: number | null
  readonly missed: { readonly count: number; readonly last: number } | null
}

/** A schedule says minutes, so a time counts for as long as its minute lasts. */
const countsForMs = 60_000
/** More are not counted one by one. */
export const mostMissed = 1000

/**
 * Finds what has come of a schedule: what is of this minute is asked for, what is older was missed, and is never made up for.
 * A clock that was set back brings nothing twice.
 * @param seenTo the last time that was seen to, or since when the sweep is known
 */
export function dueTimes(next: NextTime, seenTo: number, now: number): DueTimes {
  const come: number[] = []
  for (let at = next(seenTo); at !== null && at <= now && come.length <= mostMissed; at = next(at))
    come.push(at)
  const last = come.at(-1) ?? null
  const run = last !== null && now - last < countsForMs ? last : null
  const missed = run === null ? come : come.slice(0, -1)
  const lastMissed = missed.at(-1)
  return { run, missed: lastMissed === undefined ? null : { count: missed.length, last: lastMissed } }
}
