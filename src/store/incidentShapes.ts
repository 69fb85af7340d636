import { z } from 'zod'
import type { Retries } from '../domain/approvals/retry.ts'
import type { Holder } from '../domain/incidents/connectionHolders.ts'
import type { Finding, FindingKind } from '../domain/incidents/finding.ts'
import type { Habit, Incident } from '../domain/incidents/incident.ts'
import type { CallKey, Calls, Sent } from '../domain/incidents/ladder.ts'
import type { WaitingPool } from '../domain/incidents/poolWaits.ts'
import type { OtherOption, Recommendation } from '../domain/incidents/recommend.ts'
import type { Severity } from '../domain/incidents/severity.ts'
import type { Silence } from '../domain/incidents/silence.ts'
import type { LastSeen } from '../domain/incidents/unreachable.ts'
import type { Root, Wait } from '../domain/locks/blocking.ts'
import type { Expected } from '../domain/locks/option.ts'
import { worksLost } from '../domain/locks/workLost.ts'
import {
  actionShape,
  deadlockReportShape,
  lockTargetShape,
  preparedShape,
  sessionShape,
  slotShape,
  vacuumHolderShape,
} from './sessionShapes.ts'
import { anyText, flag, listOf, type Members, number, object, oneOf, orNull, union } from './shapes.ts'

const slow = { session: sessionShape, seconds: number }

const findings: Members<Finding, 'kind'> = {
  blocking: {
    root: object<Root>({
      pid: number,
      kind: oneOf({ session: 1, preparedTransaction: 1 }),
      prepared: orNull(preparedShape),
      victims: listOf(number),
      oldestWaitSeconds: orNull(number),
      wait: object<Wait>({
        pid: number,
        target: lockTargetShape,
        mode: anyText,
        relationName: orNull(anyText),
        seconds: orNull(number),
        sinceHandOver: number.optional(),
      }),
    }),
    session: orNull(sessionShape),
  },
  longQuery: slow,
  idleInTransaction: slow,
  idle: slow,
  connections: {
    used: number,
    max: number,
    reserved: number,
    holders: listOf(
      object<Holder>({
        usename: anyText,
        applicationName: anyText,
        clientAddr: anyText,
        count: number,
        datname: anyText.optional(),
        idle: number.optional(),
      }),
    ),
  },
  unreachable: {
    code: anyText,
    reason: anyText,
    seconds: number,
    last: orNull(
      object<LastSeen>({
        at: number,
        sessions: number,
        waiting: number,
        used: number,
        max: number,
        openIncidents: number,
      }),
    ),
  },
  lockStorm: { waiting: number, why: anyText, suspects: listOf(sessionShape) },
  lockCycle: {
    session: orNull(sessionShape),
    pids: listOf(number),
    backendStart: anyText,
    waiting: number,
    seconds: number,
    closedSeconds: number,
    deadlockTimeoutSeconds: orNull(number),
  },
  poolWaits: {
    seconds: number,
    clients: number,
    pools: listOf(
      object<WaitingPool>({
        database: anyText,
        user: anyText,
        mode: anyText,
        waiting: number,
        waitSeconds: number,
        lent: number,
        free: number,
        inLogin: number,
        waitForLocks: number,
        idleInTransaction: number,
        busy: number,
      }),
    ),
    others: number,
  },
  deadlocks: {
    database: anyText,
    count: number,
    since: number,
    lastAt: number,
    participants: listOf(sessionShape),
    reports: listOf(deadlockReportShape),
  },
  preparedTransaction: { prepared: preparedShape, seconds: number, finisher: anyText },
  vacuumHeldBack: { holder: vacuumHolderShape, session: orNull(sessionShape) },
  wraparound: {
    database: anyText,
    ratio: number,
    age: number,
    counts: oneOf({ transactions: 1, multixacts: 1 }),
    freezeMaxAge: number,
    holder: orNull(vacuumHolderShape),
    others: number,
  },
  replicationSlot: { slot: slotShape },
}

const expected = object<Expected>({ atOnce: listOf(number), follow: listOf(number), unsure: listOf(number) })

const recommendation = object<Recommendation>({
  target: orNull(
    object<NonNullable<Recommendation['target']>>({
      action: actionShape,
      session: sessionShape,
      workLost: z.enum(worksLost),
      waited: flag,
      expected: expected.optional(),
      together: listOf(number).optional(),
    }),
  ),
  text: anyText,
  others: listOf(
    object<OtherOption>({ action: actionShape, pid: number, backendStart: anyText, text: anyText }),
  ),
  retries: orNull(object<Retries>({ ended: number, again: number, withinSeconds: number })),
  named: listOf(number),
})

export const incidentShape = object<Incident>({
  id: anyText,
  cardId: anyText,
  digestId: orNull(anyText),
  placedAt: number,
  cluster: anyText,
  key: anyText,
  finding: union<Finding, 'kind'>('kind', findings),
  openedAt: number,
  beganAt: number,
  headSince: number,
  changedAt: number,
  resolvedAt: orNull(number),
  resolution: orNull(anyText),
  recommendation: orNull(recommendation),
  acknowledgedBy: orNull(anyText),
  habit: object<Habit>({
    who: anyText,
    times: number,
    firstAt: number,
    isAtOneTime: flag,
    before: listOf(anyText),
  }).optional(),
  prevention: anyText.optional(),
  mostVictims: number,
})

export const callsShape = object<Calls>({
  worst: orNull(oneOf<Severity>({ critical: 1, warning: 1, notice: 1 })),
  since: orNull(number),
  pausedAt: orNull(number),
  settled: listOf(anyText),
  sent: listOf(
    object<Sent>({
      key: z.custom<CallKey>((key) => typeof key === 'string'),
      at: number,
      mention: listOf(anyText),
      channel: anyText,
      inCard: flag,
      by: orNull(anyText),
    }),
  ),
})

export const silenceShape = object<Silence>({
  id: anyText,
  cluster: anyText,
  scope: union<Silence['scope'], 'kind'>('kind', {
    cluster: {},
    finding: { findingKind: z.enum(Object.keys(findings) as FindingKind[]) },
    incident: { incidentId: anyText, key: anyText },
  }),
  since: number,
  until: number,
  untilOver: flag.optional(),
  by: anyText,
  reason: anyText,
})
