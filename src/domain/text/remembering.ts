/**
 * Returns a function that remembers what it made of a text.
 * @param most texts that it remembers
 */
export function remembering<T>(make: (text: string) => T, most: number): (text: string) => T {
  const known = new Map<string, { readonly made: T }>()
  return (text) => {
    const before = known.get(text)
    if (before) return before.made
    const made = make(text)
    // Those that are in use come back at once.
    if (known.size >= most) known.clear()
    known.set(text, { made })
    return made
  }
}
