/**
 * The known word that was most likely meant: one that begins like it, else the one with the fewest typing mistakes
 * (inserted, left out, replaced or swapped letters; at most one for each three letters).
 * @returns null when none is near
 */
export function nearest(typed: string, known: readonly string[]): string | null {
  // What is longer than every known word by far is none of them, and would only cost time.
  const word = typed.slice(0, 64).toLowerCase()
  if (word.length > 1) {
    const begins = known.filter((one) => one.toLowerCase().startsWith(word))
    if (begins.length === 1) return begins[0] ?? null
  }
  let best: string | null = null
  let fewest = Number.POSITIVE_INFINITY
  for (const one of known) {
    const mistakes = distance(word, one.toLowerCase())
    if (mistakes < fewest) {
      fewest = mistakes
      best = one
    }
  }
  return best !== null && fewest <= Math.max(1, Math.floor(Math.min(word.length, best.length) / 3))
    ? best
    : null
}

/** Optimal string alignment distance. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row.push(
        Math.min(
          (last[j] ?? 0) + 1,
          (row[j - 1] ?? 0) + 1,
          (last[j - 1] ?? 0) + (same ? 0 : 1),
          swapped ? (beforeLast[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}
