import type { Config } from '../config/config.ts'
import { type Stretch, stretchesOf } from '../domain/history/waiting.ts'
import type { FoundLook } from '../store/history/reading.ts'
import type { History } from '../store/history.ts'
import { problemView } from '../views/answers/page.ts'
import type { View } from '../views/kit.ts'

/** Record of the looks of the past, as it may be asked. */
export type PastLooks = Pick<History, 'at' | 'each' | 'between' | 'changeBefore' | 'changeAfter'> & {
  /** Writes into the record what was seen a moment ago. Absent where this process looks at nothing. */
  settle?(): Promise<void>
}

/** Says that nothing is recorded, and how to change that. */
export const unrecordedView = (): View =>
  problemView(
    'Nothing is recorded here: `history.keep` is `off` in the configuration. With `history.keep: 7d` each look is kept from the next start on, at no further query.',
  )

/** Says that the record has nothing of a cluster. */
export const notYetView = (cluster: string): View =>
  problemView(
    `Nothing is recorded of \`${cluster}\` yet. Each look is kept a second after it was taken: ask again in a minute.`,
  )

/** Returns the record as the configuration lets it be asked; null where none is kept. */
export function recordOf(
  record: PastLooks,
  { history, queryText }: Pick<Config, 'history' | 'queryText'>,
): PastLooks | null {
  if (history.keepMs === null) return null
  return queryText === 'hidden' ? withoutTexts(record) : record
}

/** Looks that are divided at once, so that a long time needs little memory. */
const atOnce = 100

/**
 * Divides a time into stretches, some at once.
 * @param looks from the one that speaks for the beginning on, in order
 */
export async function* stretchesIn(
  looks: AsyncIterable<FoundLook>,
  from: number,
  to: number,
): AsyncGenerator<Stretch[]> {
  let some: FoundLook[] = []
  let at = from
  for await (const found of looks) {
    some.push(found)
    if (some.length <= atOnce) continue
    yield stretchesOf(some, at, found.look.takenAt)
    // The last one speaks on.
    some = some.slice(-1)
    at = Math.max(at, found.look.takenAt)
  }
  yield stretchesOf(some, at, to)
}

/** Leaves the statements out of a record from before they were to be hidden. */
const withoutTexts = (record: PastLooks): PastLooks => ({
  ...record,
  async at(cluster, at) {
    const around = await record.at(cluster, at)
    return { ...around, found: around.found && bare(around.found) }
  },
  async *each(cluster, from, to) {
    for await (const one of record.each(cluster, from, to)) yield bare(one)
  },
  between: async (cluster, from, to) => (await record.between(cluster, from, to)).map(bare),
})

function bare(found: FoundLook): FoundLook {
  if (!('snapshot' in found.look)) return found
  const { texts: _, ...snapshot } = found.look.snapshot
  return { ...found, look: { ...found.look, snapshot } }
}
