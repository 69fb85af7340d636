import type { Refusal } from '../domain/approvals/access.ts'
import type { People } from '../domain/session/policy.ts'

/** Who pressed or typed, as the signed payload says. Nothing else of it is believed. */
export type Caller = { readonly userId: string; readonly teamId: string | null }

/**
 * Whether the caller is a full member of our workspace and in the list, asked of Slack now.
 * @param fresh do not use group members from a moment ago
 * @returns the refusal, or null when they may
 */
export type Authorize = (caller: Caller, allowed: People, fresh: boolean) => Promise<Refusal | null>
