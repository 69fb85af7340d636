import { bold, text, type View } from '../kit.ts'
import { codeParts, compose, type Line, lines } from './page.ts'

/** Shows what can be typed. */
export function helpView(clusters: readonly string[]): View {
  const several = clusters.length > 1
  return compose('pg-marshal: what you can type', [
    lines([bold('Look')]),
    helpBullets(
      '`/pg`, or `/pg overview`: the overview of all that is watched: what is wrong, what waits for an approval, and buttons for it',
      '`/pg sessions`: who blocks whom, then what takes long, then totals',
      '`/pg blocking`: who waits behind whom, as a tree',
      '`/pg long`: long-running statements and transactions',
      '`/pg idle`: sessions idle in a transaction, and long-idle ones',
      '`/pg top`: what works most (pg_stat_statements), waiting not counted, since the last look, beside what runs now; `/pg top total`: since the last reset; `/pg top all`: also what drivers and I run on our own',
      '`/pg locks`: who holds and who waits; `/pg locks 4312`: every lock of one session; `/pg locks sales.orders`: everybody who locks a table',
      '`/pg activity`: how many sessions by state, wait event, user, application and database',
      '`/pg session 4312`: everything about one session',
      '`/pg health`: everything that makes trouble at once, with its limits: locks, connections, deadlocks, prepared transactions, vacuum, wraparound, replication slots',
      '`/pg rules`, `/pg rules --app pg_dump`: from when on something is trouble here, and for whom it is different',
      '`/pg advise`, `/pg advise --since 30d`: settings that would have prevented the trouble of that time, as statements to run',
      '`/pg clusters [PART]`: the servers that are watched, trouble first; with a part of their names, those alone',
      '`/pg history --since 12h`, `/pg history 4312`, `/pg history 3f2a9c1b`: what happened and what was decided: lately, to a PID, on a card',
      '`/pg at 14:05`, `/pg at yesterday 23:10`, `/pg at 20 min ago`: what was seen then, by your clock: who blocked whom where somebody waited, else the sessions; `/pg at 14:05 sessions` (or blocking, long, idle, activity) says which list, with its filters',
      '`/pg report`, `/pg report 3f2a9c1b`: an incident as one would write it up, the newest or the one of that card; a button shares it',
      '`/pg waits`, `/pg waits --since 6h --app web`: what active sessions waited for, over time, and which statements, applications and relations waited most',
      '`/pg oncall`: who is called for trouble now, and what happens when nobody answers',
      '`/pg stats`, `/pg stats --since 7d`: how quickly trouble was seen, answered and ended, and what was denied or expired',
    ),
    lines([bold('Act'), ' (asks the approvers; nothing is sent before one of them presses the button)']),
    helpBullets(
      '`/pg cancel 4312 reason`: ends the running statement; the connection stays',
      '`/pg terminate 4312 reason`: closes the connection and rolls its transaction back',
      '`/pg terminate --app web --state idle --older 10m reason`: all whom the filters find, on one card with a list; `cancel` likewise',
      '`/pg sweep`: what is asked for by itself at its times, and when next; `/pg sweep NAME` asks now',
    ),
    lines([bold('Calm'), ' (everything is still watched and written down)']),
    helpBullets(
      '`/pg snooze blocking 30m`, `/pg snooze 3f2a9c1b 1h`: no new cards for a kind (blocking, long, idle-in-transaction, idle, connections, storm, cycle, pools, deadlocks, prepared, vacuum, wraparound, slots) or an incident; `/pg unsnooze …` ends it',
      '`/pg quiet 2h reason`: no new cards at all, for planned work; `/pg quiet off` ends it, `/pg quiet` shows what is silent',
    ),
    lines([bold('Filter'), ' the lists; all that are given must hold']),
    helpBullets(
      '`--db orders`, `--user shop`, `--app web`: any part of the name, upper and lower case alike; `"two words"` in quotes',
      '`--state active`, `idle`, `idle-in-transaction` or `waiting` (for a lock)',
      '`--older 5m`: for longer than that in its statement, state or transaction: `30s`, `5m`, `1h30m`',
      ...(several ? [] : ['`--cluster NAME`: only needed when there are several']),
    ),
    ...(several
      ? [
          lines(
            [
              bold('Cluster: '),
              ...codeParts(
                '`--cluster NAME` with any command, except in a channel that belongs to one cluster.',
              ),
            ],
            [
              text(
                `Configured: ${clusters.slice(0, 30).join(', ')}${clusters.length > 30 ? ` and ${clusters.length - 30} more` : ''}.`,
              ),
            ],
          ),
        ]
      : []),
  ])
}

const helpBullets = (...sentences: readonly string[]) => ({
  kind: 'bullets' as const,
  lines: sentences.map((sentence): Line => codeParts(sentence)),
})
