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

type Failing = { failure(): string | null }

/** Parts of the process that may fail; null: nothing is wrong there. */
export type Parts = {
  /** Reason why the store cannot be used. */
  readonly storeAlarm: Failing
  /** False where the last change could not be written. */
  readonly cards: { isWritable(): boolean }
  /** Reason why nothing comes from Slack. */
  readonly ingress: Failing
  /** Code with which the token is refused, or with which Slack does not answer. */
  readonly token: { refused(): string | null; silent(): string | null }
  /** Errors that keep messages from channels, by channel id. */
  readonly outbox: { failures(): ReadonlyMap<string, SlackError> }
  /** Codes with which Slack does not show who is in a group, by group id. */
  readonly access: { unreadable(): ReadonlyMap<string, string> }
  /** Clause on what cannot be done about the record of looks, and why. */
  readonly recording: Failing
  readonly webhooks: { failures(): readonly { readonly receiver: string; readonly code: string }[] }
  /** Lists the clusters that this process watches. */
  readonly watching: () => readonly { readonly name: string; readonly unseen: string | null }[]
}

/** Sorts what is wrong by whether a restart or another replica may mend it. */
export const createReadiness = (parts: Parts) => (): Readiness => {
  const { storeAlarm, cards, ingress, token, outbox, access, recording, webhooks } = parts
  const [noStore, nothingComes, refused, silent] = [
    storeAlarm.failure(),
    ingress.failure(),
    token.refused(),
    token.silent(),
  ]
  const history = recording.failure()
  const clusters = parts.watching()
  const untaken = (isAway: boolean) =>
    [...outbox.failures()].flatMap(([channel, { code, kind }]) =>
      isSlackAway(kind) === isAway ? [`Slack: ${channel} takes no messages (${code})`] : [],
    )
  return {
    stops: [
      ...(noStore ? [`Store: it cannot be used: ${noStore}`] : []),
      ...(cards.isWritable() || noStore ? [] : ['Store: the last change could not be written']),
      ...(nothingComes === null ? [] : [`Slack: ${nothingComes}`]),
      ...(refused ? [`Slack: the bot token is refused (${refused})`] : []),
      ...(silent ? [`Slack: it does not answer (${silent})`] : []),
      ...untaken(true),
    ],
    degrades: [
      ...[...access.unreadable()].map(
        ([group, code]) => `Slack: it does not show who is in the group ${group} (${code})`,
      ),
      ...untaken(false),
      ...(history && !noStore ? [`History: ${history}`] : []),
      ...webhooks
        .failures()
        .map(({ receiver, code }) => `Webhook: ${receiver} does not take what I send (${code})`),
      ...clusters.flatMap(({ name, unseen }) => (unseen === null ? [] : [`${name}: ${unseen}`])),
    ],
    watching: clusters.map(({ name }) => name),
  }
}
