import { quoted } from '../../domain/lists/filters.ts'
import type { Session } from '../../domain/session/session.ts'
import { showAnswerButton } from '../buttons.ts'
import { bold, code, type View } from '../kit.ts'
import { count, stateOf, waitEventOf, whoOf } from '../words.ts'
import { compose, type Line, lines, oneLine } from './page.ts'

/** Sessions of these process ids on one cluster. */
export type FoundOn = {
  readonly cluster: string
  readonly sessions: readonly Session[]
  /** Reason why it cannot be seen; null when it can. */
  readonly failure: string | null
}

const mostShown = 20
const mostButtons = 10
const mostNamed = 15

/** Shows what the process ids of a message do, and which of them are nobody now. */
export function pidsView({
  pids,
  found,
  several,
}: {
  readonly pids: readonly number[]
  readonly found: readonly FoundOn[]
  readonly several: boolean
}): View {
  const title = 'PIDs of the message'
  if (pids.length === 0)
    return compose(title, [lines(['No PID stands in this message. ', code('/pg sessions'), ' lists them.'])])
  const sessions = pids.flatMap((pid) =>
    found.flatMap(({ cluster, sessions }) =>
      sessions.filter((session) => session.pid === pid).map((session) => ({ cluster, session })),
    ),
  )
  const shown = sessions.slice(0, mostShown)
  const gone = pids.filter((pid) => !sessions.some(({ session }) => session.pid === pid))
  const unseen = found.filter(({ failure }) => failure !== null)
  return compose(title, [
    { kind: 'bullets', lines: shown.map(sessionLine) },
    lines(
      ...(sessions.length > shown.length
        ? [[`${count(sessions.length - shown.length, 'more session')}.`]]
        : []),
      ...(gone.length > 0 ? [goneLine(gone)] : []),
      ...unseen
        .slice(0, mostNamed)
        .map(
          ({ cluster, failure }): Line => [
            bold(`${cluster} cannot be seen: `),
            `${failure?.replace(/\.$/, '')}.`,
          ],
        ),
      ...(unseen.length > mostNamed
        ? [[`${count(unseen.length - mostNamed, 'more cluster')} cannot be seen.`]]
        : []),
    ),
    ...shown.slice(0, mostButtons).flatMap(({ cluster, session: { pid } }) => {
      const button = showAnswerButton(
        `Show ${pid}${several ? ` on ${cluster}` : ''}`,
        `session ${pid} --cluster ${quoted(cluster)}`,
      )
      return button ? [{ kind: 'buttons' as const, buttons: [button] }] : []
    }),
  ])
}

function sessionLine({ cluster, session }: { readonly cluster: string; readonly session: Session }): Line {
  const waits = waitEventOf(session)
  return [
    bold(String(session.pid)),
    ` on ${cluster} · ${whoOf(session)} · ${stateOf(session)}`,
    ...(waits ? [` · ${waits}`] : []),
    ...(session.query ? [' · ', code(oneLine(session.query, 200))] : []),
  ]
}

const goneLine = (gone: readonly number[]): Line => [
  `No session now: ${gone.slice(0, mostNamed).join(', ')}${gone.length > mostNamed ? ` and ${gone.length - mostNamed} more` : ''}.`,
]
