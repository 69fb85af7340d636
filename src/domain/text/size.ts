const units = { kB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 } as const

/**
 * Reads `500MB`, `10GB`, `1TB` as PostgreSQL's settings do: a whole number, a unit, multiples of 1024.
 * @returns bytes, or one sentence that says what to write instead (it never repeats the text)
 */
export function parseSize(text: string): { readonly bytes: number } | { readonly problem: string } {
  const [, number, unit] = /^(\d{1,9}) ?(kB|MB|GB|TB)$/i.exec(text.trim()) ?? []
  const known = Object.entries(units).find(([name]) => name.toLowerCase() === unit?.toLowerCase())
  if (!number || !known)
    return { problem: 'A size is a whole number with its unit (kB, MB, GB or TB): write 500MB or 10GB.' }
  return { bytes: Number(number) * known[1] }
}

/** A size for people, as pg_size_pretty has it: `512 MB`, `12 GB`, `1.5 TB`. Below zero counts as zero. */
export function formatSize(bytes: number): string {
  const [unit, size] =
    Object.entries(units).findLast(([, size]) => bytes >= size) ?? (['kB', units.kB] as const)
  const amount = Math.max(0, bytes) / size
  return `${amount < 10 && amount % 1 >= 0.05 ? amount.toFixed(1) : Math.round(amount)} ${unit}`
}

/** A large number for people: `850`, `12,345`, `214.7 million`, `1.2 billion`. */
export function formatCount(count: number): string {
  if (count < 1e6) return Math.round(count).toLocaleString('en-US')
  const [amount, word] = count < 1e9 ? [count / 1e6, 'million'] : [count / 1e9, 'billion']
  return `${amount.toFixed(1).replace(/\.0$/, '')} ${word}`
}
