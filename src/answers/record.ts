import type { Config } from '../config/config.ts'
import type { FoundLook } from '../store/history/reading.ts'
import type { History } from '../store/history.ts'
import type { Tables } from '../store/store.ts'
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

/** Leaves out of a memory the statements of a time before they were to be hidden. */
export const shownMemory = <M extends Pick<Tables, 'proposals'> & { readonly history: History }>(
  memory: M,
  queryText: Config['queryText'],
): M =>
  queryText === 'hidden'
    ? {
        ...memory,
        history: { ...memory.history, ...withoutTexts(memory.history) },
        proposals: {
          ...memory.proposals,
          ofCard: async (cardId: string) =>
            (await memory.proposals.ofCard(cardId)).map((one) => ({
              ...one,
              session: { ...one.session, query: null },
            })),
        },
      }
    : memory

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
