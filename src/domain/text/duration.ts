const unitMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const

const shape =
  /^(?:(?<d>\d{1,9})d)?(?:(?<h>\d{1,9})h)?(?:(?<m>\d{1,9})m)?(?:(?<s>\d{1,9})s)?(?:(?<ms>\d{1,9})ms)?$/

/**
 * Reads `30s`, `5m`, `1h`, `2d`, `1h30m`, `250ms`: whole numbers with a unit, larger units first, each once.
 * @returns milliseconds, or one sentence that says what to write instead (it never repeats the text)
 */
export function parseDuration(text: string): { readonly ms: number } | { readonly problem: string } {
  const trimmed = text.trim()
  if (/^\d+$/.test(trimmed))
    return { problem: 'A duration needs a unit (ms, s, m, h or d): write 30s, 5m or 1h30m.' }
  const parts = trimmed === '' ? undefined : shape.exec(trimmed)?.groups
  if (!parts) return { problem: 'This is not a duration: write 250ms, 30s, 5m, 1h, 2d or 1h30m.' }
  let ms = 0
  for (const [unit, factor] of Object.entries(unitMs)) ms += Number(parts[unit] ?? 0) * factor
  return { ms }
}

/** Writes a duration as `parseDuration` reads it: `12h`, `1m30s`; what is less than a millisecond is left out. */
export function writeDuration(ms: number): string {
  let rest = Math.round(ms)
  const parts = Object.entries(unitMs).map(([unit, factor]) => {
    const whole = Math.floor(rest / factor)
    rest -= whole * factor
    return whole > 0 ? `${whole}${unit}` : ''
  })
  return parts.join('') || '0s'
}

/**
 * Writes an age or a wait for people: `40 ms`, `40 s`, `1 min 30 s`, `25 min`, `2 h 5 min`, `3 d 4 h`. At most two units; a
 * small second unit is left out where it adds nothing. What is below zero (two clocks differ) counts as zero.
 * @param seconds may have a fraction
 */
export function formatDuration(seconds: number): string {
  if (!(seconds > 0)) return '0 s'
  const ms = Math.max(1, Math.round(seconds * 1000))
  if (ms < 1000) return `${ms} ms`
  const s = Math.round(ms / 1000)
  if (s < 60) return `${s} s`
  const min = Math.floor(s / 60)
  if (min < 60) return two(min, 'min', min < 10 ? s % 60 : 0, 's')
  const h = Math.floor(min / 60)
  if (h < 24) return two(h, 'h', min % 60, 'min')
  const d = Math.floor(h / 24)
  return two(d, 'd', d < 10 ? h % 24 : 0, 'h')
}

const two = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`
