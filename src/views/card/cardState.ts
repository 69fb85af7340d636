import type { Proposal } from '../../domain/approvals/proposal.ts'
import type { Incident } from '../../domain/incidents/incident.ts'
import type { Silence } from '../../domain/incidents/silence.ts'
import type { Protected } from '../../domain/session/policy.ts'

/** People whom a card calls by itself, and the step that comes next if nobody answers. */
export type CardCalls = {
  readonly mention: readonly string[]
  /** `names` is empty where they are not known: a mention would call them now. */
  readonly next: {
    readonly at: number
    readonly names: readonly string[]
    /** Those who were mentioned already. */
    readonly again: boolean
  } | null
}

/** All that a card is drawn from. */
export type CardState = {
  readonly cluster: string
  /** Null for a card that began with a proposal made by hand. */
  readonly incident: Incident | null
  /** Every proposal that was made on this card, oldest first. */
  readonly proposals: readonly Proposal[]
  /** Number of people that an action needs here. */
  readonly people: { readonly cancel: number; readonly terminate: number }
  /** True where an approval takes a code of the person's authenticator app. */
  readonly secondFactor: { readonly cancel: boolean; readonly terminate: boolean }
  /** The names of those who may approve here; empty where they are not known. */
  readonly approvers: readonly string[]
  /** True when one person may act alone here. */
  readonly breakGlass: boolean
  /** Until when it brings no new cards; null where it does. */
  readonly silence: Silence | null
  /**
   * Present where the operating system shows the processes of the server, when that does not answer. `byApplication`: rules that
   * protect an application, which no process shows.
   */
  readonly lastResort?: { readonly byApplication: readonly Protected[] } | undefined
  /** Null where nobody is called. */
  readonly calls?: CardCalls | null
}
