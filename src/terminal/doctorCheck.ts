/** One thing that doctor looked at. A lack comes with what to do about it. */
export type Check = {
  readonly what: string
  readonly fix: string | null
  /** False for advice: the service works without it. */
  readonly needed?: boolean
}

export const fine = (what: string): Check => ({ what, fix: null })
