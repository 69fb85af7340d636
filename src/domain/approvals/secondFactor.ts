/**
 * Decides on codes of authenticator apps (TOTP, https://www.rfc-editor.org/rfc/rfc6238). What a code is at a step is handed
 * in: no secret comes here.
 */

/** Length of a time step in milliseconds, as in every authenticator app. */
export const stepMs = 30_000
/** Steps of drift that are allowed on each side, between our clock and that of the telephone. */
const drift = 1
/** So many wrong codes without a right one between them lock a person, for so long. */
export const mostWrong = 5
export const lockMs = 15 * 60_000

/** Memory of a person's codes. */
export type CodeMemory = {
  /** The latest time step whose code counted; null before the first. */
  readonly lastStep: number | null
  /** Number of wrong codes since the last right one. */
  readonly wrong: number
  /** Until then no code counts, also a right one; null where none is locked. */
  readonly lockedUntil: number | null
}

/** Memory of a person who was just enrolled. */
export const freshMemory: CodeMemory = { lastStep: null, wrong: 0, lockedUntil: null }

/**
 * CodeVerdict on a code. `next` is what must be remembered before it holds; whoever is slower than another press must ask again.
 * `used`: it counted before, or is older than one that did.
 */
export type CodeVerdict =
  | { readonly kind: 'right'; readonly next: CodeMemory }
  | { readonly kind: 'wrong'; readonly left: number; readonly next: CodeMemory }
  | { readonly kind: 'used' }
  | { readonly kind: 'locked'; readonly until: number }

/** Reads a code as people type it, perhaps in two halves; null for what is none. */
export function readCode(typed: string): string | null {
  const code = typed.replaceAll(/[\s-]/g, '')
  return /^[0-9]{6}$/.test(code) ? code : null
}

/** Returns until when no code of a person counts; null when one may. */
export const lockedUntil = ({ lockedUntil: until }: CodeMemory, now: number): number | null =>
  until !== null && now < until ? until : null

/**
 * Decides what one code means.
 * @param codeAt the code of this person's secret at a time step
 */
export function judgeCode(
  memory: CodeMemory,
  code: string,
  codeAt: (step: number) => string,
  now: number,
): CodeVerdict {
  const until = lockedUntil(memory, now)
  if (until !== null) return { kind: 'locked', until }
  const step = Math.floor(now / stepMs)
  const matching = []
  for (let at = Math.max(0, step - drift); at <= step + drift; at++)
    if (codeAt(at) === code) matching.push(at)
  // The same code may stand for two steps: both are used up.
  const latest = matching.at(-1)
  if (latest === undefined) return wrong(memory, now)
  return memory.lastStep === null || latest > memory.lastStep
    ? { kind: 'right', next: { lastStep: latest, wrong: 0, lockedUntil: null } }
    : { kind: 'used' }
}

function wrong({ lastStep, wrong: before, lockedUntil: earlier }: CodeMemory, now: number): CodeVerdict {
  // A lock that is over has taken what was counted before it.
  const count = (earlier === null ? before : 0) + 1
  const left = Math.max(0, mostWrong - count)
  return {
    kind: 'wrong',
    left,
    next: { lastStep, wrong: count, lockedUntil: left === 0 ? now + lockMs : null },
  }
}
