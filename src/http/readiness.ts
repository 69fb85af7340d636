import { isSlackAway, type SlackError } from '../notify/slackError.ts'

/** Answer to a probe: all is well where both lists of problems are empty. */
export type Readiness = {
  /** Problems that keep this process from its job, and that a restart or another replica may mend. */
  readonly stops: readonly string[]
  /** Problems that a restart or another replica would not mend. */
  readonly degrades: readonly string[]
  /** Names of the clusters that this process watches. */
  readonly watching: readonly string[]
}

/** State of what the process works with. Null: nothing is wrong there. */
export type Condition = {
  /** Reason why the store cannot be used, and whether the last change could be written. */
  readonly store: { readonly failure: string | null; readonly isWritable: boolean }
  readonly slack: {
    /** Reason why nothing comes from Slack. */
    readonly ingress: string | null
    /** Code with which the token is refused, or with which Slack does not answer. */
    readonly refused: string | null
    readonly silent: string | null
    /** Errors that keep messages from channels, by channel id. */
    readonly untaken: ReadonlyMap<string, SlackError>
    /** Codes with which Slack does not show who is in a group, by group id. */
    readonly unreadable: ReadonlyMap<string, string>
  }
  /** Clause on what cannot be done about the record of looks, and why. */
  readonly history: string | null
  readonly webhooks: readonly { readonly receiver: string; readonly code: string }[]
  readonly clusters: readonly { readonly name: string; readonly unseen: string | null }[]
}

/** Sorts what is wrong by whether a restart or another replica may mend it. */
export function readinessOf({ store, slack, history, webhooks, clusters }: Condition): Readiness {
  const untaken = (isAway: boolean) =>
    [...slack.untaken].flatMap(([channel, { code, kind }]) =>
      isSlackAway(kind) === isAway ? [`Slack: ${channel} takes no messages (${code})`] : [],
    )
  return {
    stops: [
      ...(store.failure ? [`Store: it cannot be used: ${store.failure}`] : []),
      ...(store.isWritable || store.failure ? [] : ['Store: the last change could not be written']),
      ...(slack.ingress === null ? [] : [`Slack: ${slack.ingress}`]),
      ...(slack.refused ? [`Slack: the bot token is refused (${slack.refused})`] : []),
      ...(slack.silent ? [`Slack: it does not answer (${slack.silent})`] : []),
      ...untaken(true),
    ],
    degrades: [
      ...[...slack.unreadable].map(
        ([group, code]) => `Slack: it does not show who is in the group ${group} (${code})`,
      ),
      ...untaken(false),
      ...(history && !store.failure ? [`History: ${history}`] : []),
      ...webhooks.map(({ receiver, code }) => `Webhook: ${receiver} does not take what I send (${code})`),
      ...clusters.flatMap(({ name, unseen }) => (unseen === null ? [] : [`${name}: ${unseen}`])),
    ],
    watching: clusters.map(({ name }) => name),
  }
}
