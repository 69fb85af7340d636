import { totals } from '../../domain/incidents/finding.ts'
import type { Picture } from '../../domain/locks/picture.ts'
import { type ReplayWait, replayPatience, replayWait } from '../../domain/locks/replay.ts'
import { grantorOn } from '../../domain/session/platform.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { list } from '../../domain/text/sentence.ts'
import { bold, code, moment } from '../kit.ts'
import { count } from '../words.ts'
import type { AnswerContext, Line } from './page.ts'

/** Says what to do where a moment shows too little. */
export const askAgain = ({ past }: AnswerContext): string =>
  past ? 'look a moment earlier or later' : 'ask again'

/**
 * Warns everybody who reads this picture: that it is of the past, of missing privileges, of locks that cannot be read, and on a standby of a
 * replay that waits.
 */
export function notices(picture: Picture, asked: AnswerContext): Line[] {
  const { snapshot, forestTakenAt } = picture
  const { locks, server } = snapshot
  const { past } = asked
  const notes = past?.notes ?? []
  const blind: Line[] = server.seesOthers
    ? []
    : [
        [
          bold(
            `pg-marshal ${past ? 'could' : 'may'} not see other sessions on ${asked.cluster}, so this picture says nothing about them.`,
          ),
        ],
        // What was missing then may be granted by now.
        ...(past ? [] : missingLines(asked, server)),
      ]
  if (locks.kind !== 'jammed') return [...notes, ...blind, ...replayLines(picture)]
  const { waiting } = totals(snapshot)
  const earlierMs = (past ? snapshot.takenAt : asked.now) - (forestTakenAt ?? 0)
  return [
    ...notes,
    ...blind,
    ...replayLines(picture),
    [
      bold(
        `${count(waiting, 'session waits', 'sessions wait')} for a lock, and who blocks them ${past ? 'could not' : 'cannot'} be read. `,
      ),
      `${locks.why.replace(/\.$/, '')}. `,
      ...(forestTakenAt === null
        ? ['Who blocks whom was not read before.']
        : [
            `Who blocks whom is shown as it was ${formatDuration(earlierMs / 1000)} ${past ? 'before' : 'ago'}, at `,
            moment(forestTakenAt),
            '.',
          ]),
    ],
  ]
}

const missingLines = ({ missing }: AnswerContext, { platform }: Picture['snapshot']['server']): Line[] =>
  missing.length === 0
    ? [[`Its role is no member of pg_monitor. As ${grantorOn(platform)}: `, code('GRANT pg_monitor TO …')]]
    : missing.slice(0, 3).map(({ what, fix }): Line => [`${what} `, code(fix)])

/** A standby whose replay stands still shows older and older data, whatever its sessions do. */
function replayLines(picture: Picture): Line[] {
  const replay = replayWait(picture)
  if (replay === null) return []
  const { server } = picture.snapshot
  const pids = replay.holders.slice(0, 5).map(({ pid }) => pid)
  const who =
    pids.length > 0
      ? ` ${replay.sure ? 'Held back by' : 'Likely held back by'} ${list(pids)}.`
      : ' The catalogs do not show by whom.'
  const event = replay.kind === 'lock' ? '' : ` (${replay.waitEvent})`
  return [
    [
      bold(`Replay of this standby waits ${replayWords[replay.kind]}${event}.`),
      `${who} ${replayPatience(server)}`,
    ],
  ]
}

const replayWords: Record<ReplayWait['kind'], string> = {
  lock: 'for a lock that the primary took',
  snapshot: 'to remove rows that sessions here may still see',
  pin: 'to clean up a page that a session here looks at',
  tablespace: 'to drop a tablespace that sessions here use',
}
