import { filterWords, hasFilters } from '../../domain/lists/filters.ts'
import type { HealthThresholds, Match, Rule, SessionThresholds } from '../../domain/session/policy.ts'
import type { RuleNames, Verdict } from '../../domain/session/rules.ts'
import { hoursText } from '../../domain/text/hours.ts'
import { list } from '../../domain/text/sentence.ts'
import { formatCount, formatSize } from '../../domain/text/size.ts'
import { bold, code, truncate, type View } from '../kit.ts'
import { count } from '../words.ts'
import { type AnswerContext, asOf, compose, type Line, limitOf, lines } from './page.ts'

/** Input of `/pg rules`. Counts are parallel to the rules, with the rest at the end. */
export type RulesShown = {
  /** Number of sessions that match the filters, for each rule that holds now. Null when sessions cannot be seen. */
  readonly sessions: {
    readonly takenAt: number
    readonly counts: readonly number[]
    readonly others: number
  } | null
  /** Reason why the sessions cannot be seen. */
  readonly unseen: string | null
  /** Verdict of each rule on a session with exactly the given names; null when no names were given. */
  readonly verdicts: readonly Verdict[] | null
}

/** With cells as long as they may be that keeps within what Slack takes of a table: 10,000 characters. */
const maxRules = 25

/** Shows which thresholds hold for which sessions, and why. */
export function rulesView({ sessions, unseen, verdicts }: RulesShown, asked: AnswerContext): View {
  const { thresholds, filters } = asked
  const { rules } = thresholds
  const shown = rules.slice(0, maxRules)
  const head = [
    '#',
    'Sessions with',
    'Hours',
    'Limits',
    ...(sessions ? ['Now'] : []),
    ...(verdicts ? ['Why'] : []),
  ]
  const rows = shown.map((rule, index) => [
    String(index + 1),
    `${truncate(matchWords(rule.match), 140)}${rule.from === 'general' ? '' : ' (this cluster)'}`,
    rule.hours ? hoursText(rule.hours) : 'always',
    limitsWords(rule.thresholds),
    ...(sessions ? [String(sessions.counts[index] ?? 0)] : []),
    ...(verdicts ? [verdictWords(verdicts[index], rule)] : []),
  ])
  const general = [
    '',
    rules.length === 0 ? 'all' : 'everyone else',
    'always',
    limitsWords(thresholds),
    ...(sessions ? [String(sessions.others)] : []),
    ...(verdicts ? [generalWords(verdicts)] : []),
  ]
  return compose(`Rules on ${asked.cluster}`, [
    lines(
      rules.length === 0
        ? [bold('No rules: the same limits hold for all sessions.')]
        : [
            bold(`${count(rules.length, 'rule')}; the first that matches holds, within its hours. `),
            'What it does not mention is as for everyone else. For a lock, those who wait decide.',
          ],
      ...(verdicts ? [exactly(verdicts, asked)] : []),
      ...(unseen ? [[bold('How many sessions each holds for cannot be seen: '), unseen]] : []),
    ),
    { kind: 'table', head, rows: [...rows, general] },
    lines(...(rules.length > shown.length ? [[`${rules.length - shown.length} more rules.`]] : []), [
      `Connections: above ${thresholds.connectionsAbovePercent} % of max_connections. Waits in PgBouncer: ${limitOf(thresholds.poolWaitsForSeconds)}. ${healthWords(thresholds)} `,
      ...(sessions
        ? [
            ...(hasFilters(filters) ? ['Now: sessions that match ', code(filterWords(filters)), '. '] : []),
            ...asOf(sessions.takenAt, asked.now),
          ]
        : []),
    ]),
  ])
}

const matchWords = ({ applicationName, user, database }: Match): string =>
  [
    applicationName === undefined ? '' : `application ${applicationName}`,
    user === undefined ? '' : `user ${user}`,
    database === undefined ? '' : `database ${database}`,
  ]
    .filter(Boolean)
    .join(', ')

const limitsWords = (thresholds: Partial<SessionThresholds>): string => {
  const word = (name: string, seconds: number | undefined) =>
    seconds === undefined ? '' : `${name} ${limitOf(seconds)}`
  return [
    word('blocked', thresholds.blockedForSeconds),
    word('statement', thresholds.queryLongerThanSeconds),
    word('idle in transaction', thresholds.idleInTransactionLongerThanSeconds),
    word('idle', thresholds.idleLongerThanSeconds),
    thresholds.vacuumHeldBackBy === undefined
      ? ''
      : `vacuum held back ${transactionsOf(thresholds.vacuumHeldBackBy)}`,
  ]
    .filter(Boolean)
    .join(', ')
}

const transactionsOf = (limit: number): string =>
  Number.isFinite(limit) ? `${formatCount(limit)} transactions` : 'never'

/** Shows the thresholds for the whole server. */
const healthWords = ({
  preparedLongerThanSeconds,
  wraparoundAbovePercent,
  slotRetainsBytes,
}: HealthThresholds): string =>
  `Prepared transactions: ${limitOf(preparedLongerThanSeconds)}. Wraparound: above ${wraparoundAbovePercent} % of the way. Replication slots: ${Number.isFinite(slotRetainsBytes) ? `${formatSize(slotRetainsBytes)} of WAL` : 'never'}.`

const names: Record<keyof RuleNames, string> = {
  applicationName: '--app',
  user: '--user',
  database: '--db',
}

function verdictWords(verdict: Verdict | undefined, rule: Rule): string {
  switch (verdict?.kind) {
    case undefined:
      return ''
    case 'holds':
      return `holds${rule.hours ? ': it matches, and it is in its hours' : ': it matches'}`
    case 'otherHours':
      return 'not now: outside of its hours'
    case 'otherNames':
      return 'no: another name'
    case 'later':
      return 'no: one above holds'
    case 'depends':
      return `depends on ${list(verdict.on.map((name) => names[name]))}`
  }
}

const generalWords = (verdicts: readonly Verdict[]): string =>
  verdicts.some(({ kind }) => kind === 'holds')
    ? 'no: a rule holds'
    : verdicts.some(({ kind }) => kind === 'depends')
      ? 'if none above does'
      : 'holds: no rule matches'

/** Shows the thresholds for a session with exactly these names; no such session has to exist. */
function exactly(verdicts: readonly Verdict[], { filters }: AnswerContext): Line {
  const at = verdicts.findIndex(({ kind }) => kind === 'holds')
  const open = verdicts.some(({ kind }) => kind === 'depends')
  const what = at < 0 ? 'what holds for everyone else' : `rule ${at + 1}`
  const unless = open ? ', unless a rule above does that depends on more names' : ''
  return ['A session with exactly the names ', code(filterWords(filters)), `: ${what} holds${unless}.`]
}
