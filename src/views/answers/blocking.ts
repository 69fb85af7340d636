import { stormSuspects, totals } from '../../domain/incidents/finding.ts'
import { filterWords, hasFilters } from '../../domain/lists/filters.ts'
import type { Picture } from '../../domain/locks/picture.ts'
import { type Branch, jamsIn, type Tree, type Trees, waitingIn } from '../../domain/locks/tree.ts'
import { mayFinish, meaningOf } from '../../domain/session/heldUp.ts'
import type { Platform } from '../../domain/session/platform.ts'
import { finishing, finishingPlace } from '../../domain/session/prepared.ts'
import { type Session, sessionsByPid } from '../../domain/session/session.ts'
import { formatDuration } from '../../domain/text/duration.ts'
import { bold, clean, code, truncate, type View } from '../kit.ts'
import {
  count,
  lockOf,
  loggingInWords,
  partyWords,
  shortNameOf,
  stateOf,
  waitEventOf,
  waitedFor,
  whoOf,
} from '../words.ts'
import { askAgain, notices } from './notices.ts'
import { type Advice, optionLines } from './options.ts'
import {
  type AnswerContext,
  commandTo,
  compose,
  footer,
  type Line,
  lines,
  oneLine,
  type PictureAnswer,
  titled,
} from './page.ts'

/** Depth from which a line names whom it waits behind and moves no further to the right. */
const deepest = 6
const longestLine = 150

type BlockingAnswer = PictureAnswer & {
  readonly laidOut: Trees
  /** Number of roots that the filters leave out. */
  readonly otherRoots: number
  /** Statements by pid, where they were fetched. */
  readonly texts: ReadonlyMap<number, string | null>
  /** The least costly way to end each jam. */
  readonly advice: readonly Advice[]
}

/** The blocking forest as an indented tree. */
export function blockingView({ picture, laidOut, otherRoots, texts, advice, asked }: BlockingAnswer): View {
  const sessions = sessionsByPid(picture.snapshot.sessions)
  const { trees, moreTrees } = laidOut
  const drawn = trees.flatMap((tree) => treeLines(tree, sessions, texts, picture))
  return compose(titled(`Who blocks whom on ${asked.cluster}`, asked), [
    lines(...notices(picture, asked), ...headline(picture, laidOut, asked)),
    ...(drawn.length > 0 ? [{ kind: 'preformatted', value: drawn.join('\n') } as const] : []),
    { kind: 'bullets', lines: optionLines(bySession(advice), asked, { mostJams: 5, mostOthers: 2 }) },
    lines(
      ...(moreTrees > 0
        ? [[`${count(moreTrees, 'more root')} with no more waiters: narrow it with --db, --user or --app.`]]
        : []),
      ...(otherRoots > 0
        ? [
            [
              `${count(otherRoots, 'root does', 'roots do')} not match `,
              code(filterWords(asked.filters)),
              ': ',
              commandTo(asked, 'blocking'),
            ],
          ]
        : []),
      ...(asked.past ? [] : byHand(trees, picture.snapshot.server.platform)),
    ),
    footer(picture, asked),
  ])
}

function headline(picture: Picture, { trees, moreTrees }: Trees, asked: AnswerContext): Line[] {
  const { snapshot, forest } = picture
  if (!snapshot.server.seesOthers && trees.length === 0) return []
  const jammed = snapshot.locks.kind === 'jammed'
  const suspects = jammed ? suspectLines(snapshot.sessions) : []
  if (trees.length > 0) {
    const waiting = waitingIn(jamsIn(forest))
    const noun = trees.some(({ root }) => root === null) ? 'jam' : 'root'
    return [
      [
        bold(
          hasFilters(asked.filters)
            ? `${count(trees.length + moreTrees, noun)} with matching sessions.`
            : `${count(waiting, 'session waits', 'sessions wait')} behind ${count(trees.length + moreTrees, noun)}${loggingInWords(picture)}.`,
        ),
      ],
      ...suspects,
    ]
  }
  if (jammed) return suspects
  const { waiting } = totals(snapshot)
  if (hasFilters(asked.filters))
    return [['Nobody who matches ', code(filterWords(asked.filters)), ' blocks others or waits.']]
  return waiting === 0
    ? [[bold('Nobody waits for a lock.')]]
    : [
        [
          bold(`${count(waiting, 'session waits', 'sessions wait')} for a lock, `),
          `but who holds it was not to be seen in that moment: ${askAgain(asked)}.`,
        ],
      ]
}

const suspectLines = (sessions: readonly Session[]): Line[] =>
  stormSuspects(sessions).map((session) => [
    bold(`Suspect ${session.pid}: `),
    truncate(`${whoOf(session)} · ${stateOf(session)}`, longestLine),
  ])

/** Draws one jam, a line for each session. */
export function treeLines(
  tree: Tree,
  sessions: ReadonlyMap<number, Session>,
  texts: ReadonlyMap<number, string | null>,
  picture: Picture,
): string[] {
  const { root, branches, more, above } = tree
  const statement = (pid: number, max: number) =>
    oneLine(texts.get(pid) ?? sessions.get(pid)?.query ?? null, max)
  const head = root ? rootLines(tree, sessions, statement) : cycleLines(tree, sessions, statement, picture)
  const name = root ? (root.kind === 'session' ? String(root.pid) : 'the prepared transaction') : 'them'
  // Readers that block the same queue: one line each.
  if (above > 0 && branches.length + more === 0)
    return head.slice(0, 1).map((line) => cut(line, ' · they stand above'))
  return [
    ...head.map((line) => cut(line)),
    ...branches.map((branch) => cut(branchLine(branch, sessions, statement))),
    ...(more > 0 ? [`   … ${count(more, 'more waits', 'more wait')} behind ${name}`] : []),
    ...(above > 0 ? [`   … ${count(above, 'other stands', 'others stand')} above`] : []),
  ]
}

/** One line, whatever a name contains. */
const cut = (line: string, end = ''): string =>
  truncate(clean(line).replaceAll('\n', ' '), longestLine - end.length) + end

function rootLines(
  { root }: Tree,
  sessions: ReadonlyMap<number, Session>,
  statement: (pid: number, max: number) => string,
): string[] {
  if (!root) return []
  const longest = root.oldestWaitSeconds === null ? '' : `, longest ${formatDuration(root.oldestWaitSeconds)}`
  const blocks = `blocks ${root.victims.length}${longest}`
  if (root.kind === 'preparedTransaction') {
    const { prepared } = root
    return prepared
      ? [
          `prepared transaction ${oneLine(prepared.gid, 60)} · ${blocks} · ${prepared.owner} · ${prepared.database} · prepared ${formatDuration(prepared.preparedSeconds)} ago`,
        ]
      : [`prepared transaction (gone since) · ${blocks}`]
  }
  const session = sessions.get(root.pid)
  if (!session) return [`${root.pid} (gone since) · ${blocks}`]
  const text = statement(root.pid, 120)
  return [
    `${root.pid} · ${stateOf(session)}${heldUp(session)} · ${blocks} · ${whoOf(session)}`,
    ...(text === '' ? [] : [`     ${session.state === 'active' ? '' : 'last: '}${text}`]),
  ]
}

/** Says that the session waits for something that is not a lock, and does not go on by itself. */
const heldUp = (session: Session): string =>
  mayFinish(session) || meaningOf(session) === null ? '' : ` · waits in ${waitEventOf(session)}`

function cycleLines(
  { cycle }: Tree,
  sessions: ReadonlyMap<number, Session>,
  statement: (pid: number, max: number) => string,
  { forest }: Picture,
): string[] {
  const shown = cycle.slice(0, 8)
  return [
    `${cycle.join(' ⇄ ')} wait for each other: a deadlock that PostgreSQL ends by itself (deadlock_timeout), or a re-ordered queue`,
    ...shown.map((pid) => {
      const session = sessions.get(pid)
      const wait = forest.waits.get(pid)
      const waits = wait
        ? `waits${wait.seconds === null ? '' : ` ${waitedFor(wait)}`} for ${lockOf(wait)}`
        : ''
      return [
        `  ${pid}`,
        waits,
        `behind ${forest.blockedBy(pid).slice(0, 3).map(partyWords).join(', ')}`,
        session ? whoOf(session) : '',
        statement(pid, 60),
      ]
        .filter(Boolean)
        .join(' · ')
    }),
    ...(cycle.length > shown.length ? [`  … ${cycle.length - shown.length} more of them`] : []),
  ]
}

function branchLine(
  { pid, wait, depth, behind, same }: Branch,
  sessions: ReadonlyMap<number, Session>,
  statement: (pid: number, max: number) => string,
): string {
  const session = sessions.get(pid)
  const start = `${'   '.repeat(Math.min(depth, deepest) - 1)}└─ `
  const where = depth > deepest ? ` behind ${behind}` : ''
  const lock = lockOf(wait, session ? { ...session, query: statement(pid, 200) } : null)
  if (same.length > 0) {
    const all = [pid, ...same].flatMap((one) => sessions.get(one) ?? [])
    return [
      `${start}${same.length + 1} × ${namesOf(all)}`,
      statement(pid, 60),
      lock,
      `${waitedFor(wait) || 'waits'}${where}`,
    ]
      .filter(Boolean)
      .join(' · ')
  }
  return [
    `${start}${pid}`,
    `waits${wait.seconds === null ? '' : ` ${waitedFor(wait)}`}${where}`,
    lock,
    session ? whoOf(session) : '',
    statement(pid, 60),
  ]
    .filter(Boolean)
    .join(' · ')
}

/** Leaves out prepared transactions: they have their own lines, with the statement that ends them. */
const bySession = (advice: readonly Advice[]): Advice[] =>
  advice.filter(({ best, byHand }) => best !== null || byHand === null)

/** Names many sessions in a few words: `shop`, `shop-1 … shop-10`. */
function namesOf(sessions: readonly Session[]): string {
  const names = [...new Set(sessions.map((session) => shortNameOf(session)))].sort(inOrder.compare)
  const [first = '', ...others] = names
  const last = others.at(-1)
  return last === undefined ? first : `${first} … ${last}`
}

/** `shop-2` comes before `shop-10`. */
const inOrder = new Intl.Collator('en', { numeric: true })

/** A prepared transaction has no session: a person ends it, connected to its database. */
const byHand = (trees: readonly Tree[], platform: Platform): Line[] =>
  trees.flatMap(({ root }): Line[] =>
    root?.prepared
      ? [
          [
            `To end the prepared transaction by hand, connected ${finishingPlace(root.prepared, platform).replace(/^in database/, 'to')}: `,
            code(finishing('ROLLBACK', root.prepared)),
            ' (or COMMIT PREPARED: ask whose it is).',
          ],
        ]
      : [],
  )
