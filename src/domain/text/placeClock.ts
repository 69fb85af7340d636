const dayMs = 86_400_000

/** Clock of a place. A time that it shows is in milliseconds, as if that place had UTC. */
export type PlaceClock = {
  /** Reads what it shows at a moment. */
  shows(at: number): number
  /** Finds the moments at which it shows this: one, or two where it is set back, or the one at which it jumps over it. */
  momentsOf(shown: number): { readonly moments: readonly [number, ...number[]]; readonly isSkipped: boolean }
}

/** Makes the clock of a time zone that is known. */
export function placeClock(timeZone: string): PlaceClock {
  const format = new Intl.DateTimeFormat('en', {
    timeZone,
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
    hourCycle: 'h23',
  })
  const shows = (at: number): number => {
    const of = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]))
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = of
    return Date.UTC(year, month - 1, day, hour, minute, second) + (((at % 1000) + 1000) % 1000)
  }
  return {
    shows,
    momentsOf(shown) {
      // A day before and after, so that whatever the clock does in between, both of its offsets are known.
      const [before, after] = [shown - dayMs, shown + dayMs].map((at) => shows(at) - at) as [number, number]
      const [first, last] = [shown - Math.max(before, after), shown - Math.min(before, after)]
      const [one, ...more] = [...new Set([first, last])].filter((at) => shows(at) === shown)
      if (one !== undefined) return { moments: [one, ...more], isSkipped: false }
      let [early, late] = [first, last]
      while (late - early > 1) {
        const middle = Math.floor((early + late) / 2)
        if (shows(middle) - middle === before) early = middle
        else late = middle
      }
      return { moments: [late], isSkipped: true }
    },
  }
}
