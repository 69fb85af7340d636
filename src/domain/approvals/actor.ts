/**
 * Names of those who act, as the journal and a proposal have them: a Slack user id, `pg-marshal` for the bot by itself, or
 * `token:NAME` for a program that asks over HTTP. No id of Slack's has a colon.
 */

const tokenPrefix = 'token:'

/** Names a program by its token. */
export const tokenActor = (name: string): string => `${tokenPrefix}${name}`

/** Returns the name of the token; null for a person and for the bot. */
export const tokenOf = (actor: string): string | null =>
  actor.startsWith(tokenPrefix) ? actor.slice(tokenPrefix.length) : null

/** Decides whether a requester is a person, who can be told what became of it. */
export const isPerson = (actor: string): boolean => tokenOf(actor) === null
