import type { KnownBlock } from '@slack/types'
import { z } from 'zod'
import type { RefusalCode } from '../domain/approvals/access.ts'
import type { JournalEvent } from '../domain/approvals/journal.ts'
import type { Outcome, Victim } from '../domain/approvals/outcome.ts'
import type { Approval, Denial, Joined, Proposal, ProposalFields } from '../domain/approvals/proposal.ts'
import type { Retries } from '../domain/approvals/retry.ts'
import type { Finding, FindingKind, Holder } from '../domain/incidents/finding.ts'
import type { Incident } from '../domain/incidents/incident.ts'
import type { OtherOption, Recommendation } from '../domain/incidents/recommend.ts'
import type { Silence } from '../domain/incidents/silence.ts'
import type { Root, Wait } from '../domain/locks/blocking.ts'
import type { Expected } from '../domain/locks/option.ts'
import { worksLost } from '../domain/locks/workLost.ts'
import type { Action } from '../domain/session/action.ts'
import type { DeadlockReport, ReplicationSlot, VacuumHolder } from '../domain/session/health.ts'
import type { PreparedTransaction, Session, SessionKey } from '../domain/session/session.ts'
import type { LockTarget } from '../domain/session/snapshot.ts'

/** The shapes of what the store keeps as JSON, field by field as the domain has them. */

/** One schema for each field of a type: a field that is forgotten, or that is none, does not compile. */
type Fields<T> = { readonly [K in keyof T]-?: z.ZodType<T[K]> }

const object = <T>(fields: Fields<T>) => z.object(fields) as z.ZodType<T>

/** The same for a union that is told apart by one field: a member that is forgotten does not compile either. */
type Members<T, Tag extends keyof T> = {
  readonly [K in T[Tag] & string]: T extends unknown
    ? K extends T[Tag]
      ? Fields<Omit<T, Tag>>
      : never
    : never
}

function union<T, Tag extends keyof T & string>(tag: Tag, members: Members<T, Tag>): z.ZodType<T> {
  const schemas = Object.entries<z.ZodRawShape>(members).map(([name, fields]) =>
    z.object({ ...fields, [tag]: z.literal(name) }),
  )
  return z.discriminatedUnion(tag, schemas as [z.ZodObject]) as z.ZodType<T>
}

/** Each word of a type, so that none is forgotten. */
const oneOf = <T extends string>(words: Readonly<Record<T, 1>>) =>
  z.enum(Object.keys(words) as T[]) as z.ZodType<T>

const text = z.string()
const number = z.number()
const flag = z.boolean()
const orNull = <T>(schema: z.ZodType<T>) => schema.nullable()
const list = <T>(schema: z.ZodType<T>): z.ZodType<readonly T[]> => z.array(schema)

const action = oneOf<Action>({ cancel: 1, terminate: 1 })
const sessionKey = object<SessionKey>({ cluster: text, pid: number, backendStart: text })

const session = object<Session>({
  pid: number,
  leaderPid: orNull(number),
  backendType: text,
  backendStart: text,
  datname: orNull(text),
  usename: orNull(text),
  isSuperuser: flag,
  applicationName: text,
  clientAddr: orNull(text),
  state: orNull(text),
  waitEventType: orNull(text),
  waitEvent: orNull(text),
  sameWaitSeconds: number.optional(),
  xactStart: orNull(text),
  queryStart: orNull(text),
  stateChange: orNull(text),
  backendXid: orNull(text),
  backendXmin: orNull(text),
  queryId: orNull(text),
  xactSeconds: orNull(number),
  querySeconds: orNull(number),
  stateSeconds: orNull(number),
  backendSeconds: number,
  query: orNull(text),
  leaves: text.optional(),
})

const prepared = object<PreparedTransaction>({
  xid: text,
  gid: text,
  gidInDoubt: flag.optional(),
  owner: text,
  database: text,
  prepared: text,
  preparedSeconds: number,
})

const lockTarget = object<LockTarget>({
  locktype: text,
  database: orNull(number),
  relation: orNull(number),
  relationName: orNull(text),
  page: orNull(number),
  tuple: orNull(number),
  virtualxid: orNull(text),
  transactionid: orNull(text),
  classid: orNull(number),
  objid: orNull(number),
  objsubid: orNull(number),
})

const vacuumHolder = object<VacuumHolder>({
  kind: oneOf({ session: 1, prepared: 1, slot: 1, standby: 1 }),
  name: text,
  database: orNull(text),
  pid: orNull(number),
  backendStart: orNull(text),
  xactStart: orNull(text),
  age: number,
  catalogsOnly: flag,
})

const slot = object<ReplicationSlot>({
  name: text,
  slotType: text,
  database: orNull(text),
  active: flag,
  walStatus: orNull(text),
  retainedBytes: number,
  safeBytes: orNull(number),
  inactiveSeconds: orNull(number),
  invalidationReason: orNull(text),
})

const deadlockReport = object<DeadlockReport>({
  at: text,
  database: text,
  user: text,
  applicationName: text,
  pid: number,
  pids: list(number),
  statement: orNull(text),
})

const slow = { session, seconds: number }

const findings: Members<Finding, 'kind'> = {
  blocking: {
    root: object<Root>({
      pid: number,
      kind: oneOf({ session: 1, preparedTransaction: 1 }),
      prepared: orNull(prepared),
      victims: list(number),
      oldestWaitSeconds: orNull(number),
      wait: object<Wait>({
        pid: number,
        target: lockTarget,
        mode: text,
        relationName: orNull(text),
        seconds: orNull(number),
      }),
    }),
    session: orNull(session),
  },
  longQuery: slow,
  idleInTransaction: slow,
  idle: slow,
  connections: {
    used: number,
    max: number,
    reserved: number,
    holders: list(object<Holder>({ usename: text, applicationName: text, clientAddr: text, count: number })),
  },
  lockStorm: { waiting: number, why: text, suspects: list(session) },
  lockCycle: {
    session: orNull(session),
    pids: list(number),
    backendStart: text,
    waiting: number,
    seconds: number,
    closedSeconds: number,
    deadlockTimeoutSeconds: orNull(number),
  },
  deadlocks: {
    database: text,
    count: number,
    since: number,
    lastAt: number,
    participants: list(session),
    reports: list(deadlockReport),
  },
  preparedTransaction: { prepared, seconds: number, finisher: text },
  vacuumHeldBack: { holder: vacuumHolder, session: orNull(session) },
  wraparound: {
    database: text,
    ratio: number,
    age: number,
    counts: oneOf({ transactions: 1, multixacts: 1 }),
    freezeMaxAge: number,
    holder: orNull(vacuumHolder),
    others: number,
  },
  replicationSlot: { slot },
}

const expected = object<Expected>({ atOnce: list(number), follow: list(number), unsure: list(number) })

const recommendation = object<Recommendation>({
  target: orNull(
    object<NonNullable<Recommendation['target']>>({
      action,
      session,
      workLost: z.enum(worksLost),
      waited: flag,
      expected: expected.optional(),
      together: list(number).optional(),
    }),
  ),
  text,
  others: list(object<OtherOption>({ action, pid: number, backendStart: text, text })),
  retries: orNull(object<Retries>({ ended: number, again: number, withinSeconds: number })),
  named: list(number),
})

export const incidentShape = object<Incident>({
  id: text,
  cardId: text,
  digestId: orNull(text),
  placedAt: number,
  cluster: text,
  key: text,
  finding: union<Finding, 'kind'>('kind', findings),
  openedAt: number,
  beganAt: number,
  headSince: number,
  changedAt: number,
  resolvedAt: orNull(number),
  resolution: orNull(text),
  recommendation: orNull(recommendation),
  acknowledgedBy: orNull(text),
  mostVictims: number,
})

const outcome = union<Outcome, 'kind'>('kind', {
  effective: {
    afterMs: number,
    victims: number,
    movedOn: number,
    expected: number.optional(),
    heldBy: z.array(number).optional(),
  },
  still: { afterMs: number, state: orNull(text), waitEventType: orNull(text), waitEvent: orNull(text) },
  changed: { what: text },
  refused: { why: text },
  unreachable: { why: text },
  unknown: { now: text },
})

const denial = object<Denial>({ userId: text, reason: text })

const proposalFields: Fields<ProposalFields> = {
  id: text,
  cardId: text,
  action,
  key: sessionKey,
  session,
  victims: list(object<Victim>({ pid: number, backendStart: text, queryStart: orNull(text) })),
  reason: text,
  insteadOf: orNull(text),
  pooled: flag,
  denial: orNull(denial),
  requestedBy: orNull(text),
  joined: list(object<Joined>({ userId: text, reason: text })).optional(),
  askedAt: number.optional(),
  isPast: flag.optional(),
  revision: number,
  approvals: list(object<Approval>({ userId: text, at: number })),
  brokeGlass: orNull(denial),
  decidedBy: orNull(text),
  decision: orNull(text),
  outcome: orNull(outcome),
  retriedAfterMs: orNull(number),
  createdAt: number,
  claimedAt: orNull(number),
  expiresAt: number,
}
export const proposalShape = union<Proposal, 'state'>('state', {
  open: proposalFields,
  claimed: proposalFields,
  done: proposalFields,
  denied: proposalFields,
  expired: proposalFields,
  withdrawn: proposalFields,
})

export const silenceShape = object<Silence>({
  id: text,
  cluster: text,
  scope: union<Silence['scope'], 'kind'>('kind', {
    cluster: {},
    finding: { findingKind: z.enum(Object.keys(findings) as FindingKind[]) },
    incident: { incidentId: text, key: text },
  }),
  since: number,
  until: number,
  untilOver: flag.optional(),
  by: text,
  reason: text,
})

const actor = text
const ofProposal = { actor, proposalId: text }
const onSession = { ...ofProposal, action, session: sessionKey }
const ofIncident = { actor, what: text }
const ofSight = { actor, cluster: text, since: orNull(number), reason: text }

export const eventShape = union<JournalEvent, 'kind'>('kind', {
  requested: { ...onSession, statement: orNull(text), reason: text, asked: list(text).optional() },
  offered: { ...onSession, statement: orNull(text) },
  approved: { ...ofProposal, have: number, needed: number },
  refused: {
    actor,
    entry: text,
    proposalId: orNull(text),
    // Only counted and shown: one that is not given any more may stand.
    code: z.custom<RefusalCode>((code) => typeof code === 'string'),
    reason: text,
    more: number.optional(),
  },
  brokeGlass: { ...onSession, reason: text },
  denied: { ...ofProposal, reason: text },
  expired: ofProposal,
  withdrawn: { ...ofProposal, reason: text },
  intended: { ...onSession, statement: orNull(text), approvedBy: list(text) },
  outcome: { ...onSession, sql: orNull(text), returned: orNull(flag), outcome },
  retried: { ...ofProposal, pid: number, afterMs: number },
  incidentOpened: ofIncident,
  incidentChanged: ofIncident,
  incidentReopened: ofIncident,
  incidentResolved: ofIncident,
  lacking: { actor, cluster: text, what: text, remedy: text },
  acknowledged: { actor, from: text.optional() },
  handedBack: { actor },
  silenced: { actor, cluster: text, what: text, until: number, reason: text },
  silenceEnded: {
    actor,
    cluster: text,
    what: text,
    opened: number,
    resolved: number,
    open: number,
    left: list(object<{ readonly what: string; readonly until: number }>({ what: text, until: number })),
  },
  caughtUp: { actor, changes: number, last: text },
  blind: ofSight,
  seesAgain: ofSight,
})

/** Only carried to Slack, which looks closer. */
export const blocksShape = list(
  z.custom<KnownBlock>(
    (one) => typeof one === 'object' && one !== null && 'type' in one && typeof one.type === 'string',
  ),
)
