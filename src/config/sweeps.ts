import { Cron } from 'croner'
import { z } from 'zod'
import { narrows, type SweepMatch, usualMost } from '../domain/lists/bulkList.ts'
import { stateFilters } from '../domain/lists/filters.ts'
import type { NextTime } from '../domain/lists/sweepTimes.ts'
import type { Action } from '../domain/session/action.ts'
import { isTimeZone } from '../domain/text/hours.ts'
import { placeClock } from '../domain/text/placeClock.ts'
import { shortName, someClusters } from './names.ts'
import { configSection, day, duration, pattern, required, second } from './parts.ts'

/** A standing proposal: at these times one bulk card for each of its clusters. */
export type Sweep = {
  readonly name: string
  /** Cron, five fields. */
  readonly schedule: string
  readonly timeZone: string
  /** Names of clusters; null: all. */
  readonly clusters: readonly string[] | null
  readonly match: SweepMatch
  readonly action: Action
  /** Most sessions of one card. */
  readonly most: number
}

/**
 * Makes the clock of a schedule. Where the clocks go forward, a time that is skipped comes at the change; where they go back, it
 * comes once. A schedule of every hour goes on by the hour.
 */
export function timesOf({ schedule, timeZone }: Pick<Sweep, 'schedule' | 'timeZone'>): NextTime {
  const options = { paused: true, mode: '5-part' } as const
  if (schedule.split(' ')[1] === '*') {
    const cron = new Cron(schedule, { ...options, timezone: timeZone })
    return (after) => cron.nextRun(new Date(after))?.getTime() ?? null
  }
  // By what the clock shows, as if that were UTC: of several times in the hour of a change, croner skips or repeats some.
  const cron = new Cron(schedule, { ...options, timezone: 'UTC' })
  const clock = placeClock(timeZone)
  return (after) => {
    for (let shown = clock.shows(after); ; ) {
      const next = cron.nextRun(new Date(shown))?.getTime()
      if (next === undefined) return null
      const [at] = clock.momentsOf(next).moments
      if (at > after) return at
      shown = next
    }
  }
}

const scheduleHint =
  'Write a cron schedule of five fields, like "0 2 * * *": minute, hour, day, month, weekday.'

const schedule = z
  .string(required(scheduleHint))
  .transform((text) => text.trim().replaceAll(/\s+/g, ' '))
  .superRefine((text, context) => {
    const problem = scheduleProblem(text)
    if (problem) context.addIssue({ code: 'custom', message: problem })
  })

function scheduleProblem(text: string): string | null {
  if (text.split(' ').length !== 5) return scheduleHint
  try {
    return timesOf({ schedule: text, timeZone: 'UTC' })(0) === null ? 'This time never comes.' : null
  } catch {
    return scheduleHint
  }
}

const zoneHint = 'Write the name of a time zone, like Europe/Berlin or UTC.'

const timeZone = z.string({ error: zoneHint }).refine(isTimeZone, { error: zoneHint })

const match = configSection({
  applicationName: pattern.optional(),
  user: pattern.optional(),
  database: pattern.optional(),
  state: z.enum(stateFilters, { error: `Write one of ${stateFilters.join(', ')}.` }).optional(),
  olderThan: duration(second, 365 * day, 'from 1s to 365d').optional(),
})
  .transform(
    ({ olderThan, ...names }): SweepMatch => ({
      ...names,
      olderSeconds: olderThan === undefined ? undefined : olderThan / second,
    }),
  )
  .refine(narrows, {
    error:
      'That leaves nobody out. Write at least one of applicationName, user, database, state and olderThan, and not only a *.',
  })

const mostHint = 'Write how many sessions one card may have: a whole number from 1 to 500.'

export const sweep = configSection({
  name: shortName('sweep', 'nightly-idle'),
  schedule,
  timeZone: timeZone.optional(),
  clusters: someClusters.optional(),
  match,
  action: z.enum(['cancel', 'terminate'], { error: 'Write cancel or terminate.' }),
  most: z.int({ error: mostHint }).min(1, { error: mostHint }).max(500, { error: mostHint }).optional(),
})

export const sweeps = z.array(sweep, {
  error:
    'Write a list of sweeps like - { name: nightly-idle, schedule: "0 2 * * *", match: { state: idle }, action: terminate }.',
})

/** Fills in what has a default. */
export const resolveSweep = ({
  timeZone = 'UTC',
  clusters,
  most = usualMost,
  ...rest
}: z.output<typeof sweep>): Sweep => ({ ...rest, timeZone, clusters: clusters ?? null, most })
