import type { JournalRow } from '../../domain/approvals/journal.ts'
import { shortId } from '../card/card.ts'
import { journalLine } from '../card/lines.ts'
import { code, moment, type View } from '../kit.ts'
import { count } from '../words.ts'
import { compose, type Line, lines } from './page.ts'

/** Shows the journal, newest last. `about` names what was asked for. */
export function historyView(about: string, rows: readonly JournalRow[], limit: number): View {
  const entries = rows.flatMap((row): Line[] => {
    const line = journalLine(row.event, null)
    return line
      ? [[moment(row.at), ' ', ...(row.cardId ? [code(shortId(row.cardId)), ' '] : []), ...line]]
      : []
  })
  const last = rows.at(-1)
  if (entries.length === 0)
    return compose(`History of ${about}`, [lines(['Nothing is written down about it.'])])
  return compose(`History of ${about}`, [
    { kind: 'bullets', lines: entries },
    lines(
      ...(rows.length >= limit ? [[`Only the last ${count(limit, 'row')}; all of them: audit export.`]] : []),
      ...(last ? [[`Journal up to row ${last.seq}.`]] : []),
    ),
  ])
}
