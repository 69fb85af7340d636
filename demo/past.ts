import { momentIn } from '../src/answers/moment.ts'
import { pictureOf } from '../src/domain/locks/picture.ts'
import { openHistoryToRead } from '../src/store/database.ts'
import { historyIn } from '../src/store/history.ts'
import { type ServerView, viewOf } from './truth/view.ts'

/** Record that the bot has of a moment. */
export type PastView = {
  /** Time of the look that speaks for it, milliseconds; null: it was not seen. */
  readonly takenAt: number | null
  readonly view: ServerView | null
  /** Reason why nothing was seen; null where something was. */
  readonly why: string | null
}

/** Reads the bot's own record, as `/pg at` does, for the time line of the page. */
export function createPast(store: string, botUser: string) {
  let opened: ReturnType<typeof openHistoryToRead> | null = null
  return {
    async at(cluster: unknown, at: unknown): Promise<PastView> {
      if (typeof cluster !== 'string' || typeof at !== 'number') throw new Error('No such moment.')
      opened ??= openHistoryToRead(store)
      const known = await momentIn(historyIn(opened.run), cluster, at)
      if ('begins' in known)
        return { takenAt: null, view: null, why: 'The bot had recorded nothing by then.' }
      if (!known.look)
        return { takenAt: null, view: null, why: known.why ?? 'The bot was not looking, or could not.' }
      const { takenAt, snapshot } = known.look
      const sessions = snapshot.sessions.map((one) => ({
        ...one,
        query: snapshot.texts?.get(one.pid) ?? null,
      }))
      return { takenAt, view: viewOf(pictureOf({ ...snapshot, sessions }), botUser), why: null }
    },
    close: async () => opened?.close(),
  }
}
