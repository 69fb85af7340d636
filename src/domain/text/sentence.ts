/** Joins with commas, and a word before the last one: `1, 2 and 3`. */
export const list = (items: readonly (string | number)[], last: 'and' | 'or' = 'and'): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} ${last} ${items.at(-1)}`

/** Joins the first ones and counts the rest: `1, 2 and 7 more`. */
export const listSome = (items: readonly (string | number)[], most: number): string =>
  list([...items.slice(0, most), ...(items.length > most ? [`${items.length - most} more`] : [])])

/** Begins a sentence. */
export const capital = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1)
