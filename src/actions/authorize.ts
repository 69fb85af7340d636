import type { ApiToken } from '../config/api.ts'
import type { Refusal } from '../domain/approvals/access.ts'
import { tokenActor } from '../domain/approvals/actor.ts'
import type { Proposal } from '../domain/approvals/proposal.ts'
import type { Requester } from '../domain/approvals/transitions.ts'
import type { People } from '../domain/session/policy.ts'
import type { Log } from '../log.ts'
import type { Cards } from '../notify/cards.ts'

/** Person who pressed or typed, as the signed payload says. Nothing else in the payload is believed. */
export type Caller = { readonly userId: string; readonly teamId: string | null }

/** Program that asks over HTTP, let in by its token. */
export type Program = {
  readonly token: ApiToken
  /** Id of the request, as the log has it. */
  readonly requestId: string
}

/** Names who asks, as the journal does. */
export const requesterOf = (caller: Caller | Program): Requester =>
  'token' in caller
    ? { actor: tokenActor(caller.token.name), requestId: caller.requestId }
    : { actor: caller.userId }

/** Request of a caller. */
export type Entry<C = Caller | Program> = {
  readonly caller: C
  /** Place of the request: the slash command, a button, a modal. */
  readonly where: string
  /** The card whose thread gets the refusal; none if absent. */
  readonly about?: Proposal | null
}

/**
 * Asks Slack now whether the caller is a full member of our workspace and in the list.
 * @param fresh do not use group members from a moment ago
 * @returns the refusal, or null when they may
 */
export type CheckAccess = (caller: Caller, allowed: People, fresh: boolean) => Promise<Refusal | null>

/** All return the refusal, which the caller gets in private. */
export type Authorization = {
  readonly checkAccess: CheckAccess
  /** Checks access, and writes a refusal down. */
  authorize(entry: Entry<Caller>, allowed: People, fresh: boolean): Promise<Refusal | null>
  /**
   * Writes a refusal down: in the journal, and in the thread of the card that it is about. The same refusal of the same person
   * again within a minute is counted, and the count is written once.
   */
  refuse(entry: Entry, refusal: Refusal): Promise<Refusal>
  /** Writes the counts whose minute is over, or all of them. */
  settleCounts(all?: boolean): Promise<void>
}

/** Milliseconds for which the same refusal is only counted, and the number that are counted at a time. */
const countForMs = 60_000
const mostCounts = 1000

/** Refusals of people who have no business here, whatever they try: all of them count as one crowd. */
const strangers: ReadonlySet<Refusal['code']> = new Set([
  'notMember',
  'notAllowed',
  'lookUpFailed',
  'malformed',
])

/** Names what counts as the same refusal. For people who may ask, each thing that they try is written separately. */
const countedAs = ({ caller, where, about }: Entry, { code, reason }: Refusal): string =>
  JSON.stringify([
    requesterOf(caller).actor,
    code,
    about?.cardId,
    ...(strangers.has(code) ? [] : [where, reason]),
  ])

type Count = { readonly entry: Entry; readonly refusal: Refusal; readonly since: number; more: number }

export function createAuthorization(deps: {
  readonly checkAccess: CheckAccess
  readonly cards: Cards
  readonly now: () => number
  readonly log: Log
}): Authorization {
  const { checkAccess, cards, now, log } = deps
  const counts = new Map<string, Count>()
  return {
    checkAccess,
    async authorize(entry, allowed, fresh) {
      const refusal = await checkAccess(entry.caller, allowed, fresh)
      return refusal && refuse(entry, refusal)
    },
    refuse,
    async settleCounts(all = false) {
      for (const [key, count] of counts) {
        if (!all && now() - count.since < countForMs && counts.size <= mostCounts) continue
        await writeMore(key, count)
        // What cannot be written stays counted, as long as there is room.
        if (count.more === 0 || counts.size > mostCounts) counts.delete(key)
        else break
      }
    },
  }

  async function refuse(entry: Entry, refusal: Refusal): Promise<Refusal> {
    const key = countedAs(entry, refusal)
    const before = counts.get(key)
    if (before && now() - before.since < countForMs) {
      before.more++
      return refusal
    }
    const count: Count = { entry, refusal, since: now(), more: 0 }
    counts.set(key, count)
    if (before) await writeMore(key, before)
    if (!(await write(entry, refusal, 0))) count.more++
    return refusal
  }

  /** Writes what was counted; a failure gives it back to who counts on. */
  async function writeMore(key: string, count: Count): Promise<void> {
    const { more } = count
    count.more = 0
    if (more === 0 || (await write(count.entry, count.refusal, more))) return
    const kept = counts.get(key) ?? count
    kept.more += more
    counts.set(key, kept)
  }

  async function write(
    { caller, where, about = null }: Entry,
    refusal: Refusal,
    more: number,
  ): Promise<boolean> {
    try {
      await cards.commit(about?.cardId ?? null, (tx) =>
        tx.record({
          kind: 'refused',
          ...requesterOf(caller),
          entry: where,
          proposalId: about?.id ?? null,
          code: refusal.code,
          // It is read by others.
          reason: refusal.inPublic ?? refusal.reason,
          ...(more > 0 && { more }),
        }),
      )
      return true
    } catch (error) {
      // A refusal stands whether it can be written down or not.
      log.error({ err: error, entry: where, code: refusal.code }, 'a refusal could not be written down')
      return false
    }
  }
}

export const unknownButton: Refusal = { code: 'unknownProposal', reason: 'this button is no longer valid' }
