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
  const run = lastOf(next, Math.max(seenTo, now - countsForMs), now)
  const missed: number[] = []
  const end = run ?? now + 1
  for (let at = next(seenTo); at !== null && at < end && missed.length <= mostMissed; at = next(at))
    missed.push(at)
  const [last] = missed.length > mostMissed ? [end - 1] : missed.slice(-1)
  return { run, missed: last === undefined ? null : { count: missed.length, last } }
}

/** Finds the last time after one time and until another; null where there is none. */
function lastOf(next: NextTime, after: number, until: number): number | null {
  let last: number | null = null
  for (let at = next(after); at !== null && at <= until; at = next(at)) last = at
  return last
}
