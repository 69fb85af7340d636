import { hostname } from 'node:os'
import packageJson from '../package.json' with { type: 'json' }
import { createActions } from './actions/actions.ts'
import { createAuthenticator } from './actions/authenticator.ts'
import { createAuthorization } from './actions/authorize.ts'
import { createSweeper } from './actions/sweep.ts'
import { createAnswering } from './answers/answering.ts'
import { createFiguresReader } from './answers/stats.ts'
import { createPrograms } from './api/programs.ts'
import { createClock } from './clock.ts'
import { createClosers } from './closers.ts'
import { asksForCodes, type Config, requireSecret, type SlackSettings } from './config/config.ts'
import { createDesk } from './desk.ts'
import { holdFor } from './domain/fleet/share.ts'
import { createMaskers } from './domain/text/mask.ts'
import { createTagReader } from './domain/text/tags.ts'
import { createMetrics } from './http/metrics.ts'
import { createReadiness } from './http/readiness.ts'
import { type HttpServer, startHttp } from './http/server.ts'
import type { Log } from './log.ts'
import { announceBroken } from './notify/brokenChannel.ts'
import { createCards } from './notify/cards.ts'
import { createOutbox, type Gaps } from './notify/outbox.ts'
import { createStoreAlarm } from './notify/storeAlarm.ts'
import { createWebhookQueue } from './notify/webhookQueue.ts'
import { createWebhookDelivery, giveUpIn } from './notify/webhooks.ts'
import { bouncerOf } from './postgres/bouncerReader.ts'
import { createCluster } from './postgres/cluster.ts'
import { createReload } from './reload.ts'
import { createRounds } from './rounds.ts'
import { createConversation } from './slack/conversation.ts'
import { createAccessCheck } from './slack/identity.ts'
import { createNames, namedBy } from './slack/names.ts'
import { openOutward } from './slack/outward.ts'
import { channelLinkTo, createLinkTo, createPatientLinkTo } from './slack/permalinks.ts'
import { createTokenCheck } from './slack/tokenCheck.ts'
import { followChanges } from './store/changes.ts'
import { quietReads } from './store/quietReads.ts'
import { openStore } from './store/store.ts'
import { callDue } from './watch/calls.ts'
import { createHeartbeat } from './watch/heartbeat.ts'
import { createHooks } from './watch/hooks.ts'
import { createLeads, type Leads, leadershipIn, othersSee, watcherIn } from './watch/leads.ts'
import { createRecording } from './watch/recording.ts'
import { createRegistry } from './watch/registry.ts'
import { createSight } from './watch/sight.ts'
import { createWatching } from './watch/watching.ts'

export type RunningApp = {
  /** The port that /healthz, /readyz and, in http mode, /slack/events are served on. */
  readonly port: number
  /** Reads the configuration again, and goes on with it; where it cannot be used, everything stays as it was. Never throws. */
  reload(load: () => Config): Promise<void>
  /** Finishes and acknowledges what is under way, delivers what is left to say, closes everything. */
  stop(): Promise<void>
}

/**
 * Wires the service together and starts it. Databases that cannot be reached do not keep it from starting.
 * @throws ConfigError when codes are asked for and there is no key to their secrets; SlackError when Slack refuses the token; what fails to open (store, port)
 */
export async function startApp(deps: {
  readonly config: Config
  readonly slack: SlackSettings
  readonly log: Log
  readonly now?: () => number
  /** Gaps between messages; if absent, Slack's own limit and what people can follow. */
  readonly gaps?: Gaps
  /** Ends a start that waits for Slack or for the store. */
  readonly signal?: AbortSignal
}): Promise<RunningApp> {
  const { config, slack: settings, log, gaps, signal } = deps
  const clock = createClock(deps.now ?? Date.now)
  const { now } = clock
  const steady = () => performance.now()
  if (asksForCodes(config)) requireSecret(config)
  // Where no approval takes a code, no secret is ever opened; it may be asked for later.
  const authenticator = createAuthenticator(config.secret ?? '')
  const closers = createClosers(log)
  const closing = closers.add
  let leads: Leads | null = null
  let stopping = false
  const stop = async () => {
    stopping = true
    await closers.close()
  }

  try {
    const isRecorded = config.history.keepMs !== null
    const { maskText, maskOutward, recordText } = createMaskers({ ...config, isRecorded })
    const readTags = createTagReader(config)
    const registry = createRegistry({
      config,
      connect: (one) => {
        const bouncer = bouncerOf(one, { steady, log })
        return createCluster({ ...one, bouncer, log, maskText, readTags, recordText, now })
      },
    })
    const { clusters, channels, settings: cardSettings, receivers } = registry
    const clusterNames = () => [...clusters.keys()]
    const metrics = createMetrics({
      version: packageJson.version,
      clusters: clusterNames,
      remembered: {
        openIncidents: async () =>
          (await store.incidents.openOutside([])).map(({ cluster, finding }) => ({
            cluster,
            kind: finding.kind,
          })),
        backlog: () => store.messages.backlog(),
        figures: () => figures(),
        webhooks: () => webhooks.waiting(),
        ...(isRecorded && {
          history: () => ({ ...recording.counts(), extent: turn() && recording.extent() }),
        }),
      },
      now,
    })
    const outward = await openOutward({
      ...{ settings, signal, now, log },
      keep: (kind, at) => store.refusedBlocks.put(kind, at),
      failed: metrics.countSlackError,
    })
    const { slack, botIdentity } = outward

    const onWait = (seconds: number) =>
      log.info(`another pg-marshal works with the store; waiting up to ${seconds} s for it to end`)
    const store = await openStore(config.store, { signal, onWait }, (sentence) => log.warn(sentence))
    closing('store', store.close)
    const holdMs = holdFor(config.clusters.map(({ watch }) => watch.everyMs))
    const membership = store.join(hostname(), holdMs)
    for (const { kind, at } of await store.refusedBlocks.all()) outward.refusedBlocks.remember(kind, at)
    const figures = createFiguresReader({ past: store, clusters: clusterNames, now })
    closing('clusters', registry.close)
    await registry.start()

    const outbox = createOutbox({
      ...{ messages: store.messages, poster: slack, log, now },
      ...(gaps && { gaps }),
      onBroken: async (broken, { code }) => {
        await announceBroken({ messages: store.messages, channels, broken, code, now: now() })
        outbox.kick()
      },
    })
    const recording = createRecording({
      ...{ history: store.history, ...config.history, log, now },
      everyMsOf: (name) => clusters.get(name)?.config.watch.everyMs ?? 0,
      maskText: recordText ?? (() => null),
    })
    closing('history', recording.stop)
    // Each gives back what it leads when what it does for it has ended.
    closing('leads', async () => leads?.stop())
    const names = createNames({ slack, ids: () => namedBy(registry.config().clusters), log })
    const changed = () => {
      outbox.kick()
      homes.changed()
      webhooks.kick()
      programs.changed()
    }
    const cards = createCards({
      store,
      cardSettings,
      nameOf: names.of,
      now,
      changed,
      webhooks: createWebhookQueue({ settings: cardSettings, receivers, maskText: maskOutward, now }),
      recorded: (event) => {
        if (event.kind === 'outcome') metrics.countAction(event.action, event.outcome.kind)
      },
    })

    const access = createAccessCheck({ slack, ourTeamId: botIdentity.teamId, now })
    const authorization = createAuthorization({ checkAccess: access.check, cards, now, log })
    closing('counts of refusals', () => authorization.settleCounts(true))
    const linkTo = createLinkTo({ slack, messages: store.messages, log })
    const patientLinkTo = createPatientLinkTo({ linkTo, messages: store.messages })
    const { timeZoneOf } = names
    const shared = { cards, store, clusters, authorization, log, now, steady, replica: membership.id }
    const isStopping = () => stopping
    const actions = createActions({ ...shared, authenticator, linkTo, timeZoneOf, isStopping })
    const webhooks = createWebhookDelivery({
      webhooks: receivers,
      table: store.webhooks,
      linkTo: patientLinkTo,
      channelLink: (channel) => channelLinkTo(botIdentity.teamId, channel),
      giveUp: giveUpIn(cards),
      tried: metrics.countWebhook,
      log,
      now,
    })
    const answering = createAnswering({
      ...{ store, linkTo, recording, config, clusters, maskText: maskOutward, directory: names.who, now },
      watcherOf: (cluster) => watcherIn(leads?.last() ?? null, cluster),
    })
    const { answers, past, record } = answering
    const programs = createPrograms({
      ...{ clusters, store, past, record, linkTo, patientLinkTo, maskText: maskOutward, now, steady, log },
      tokens: () => registry.config().http.tokens,
      requests: actions.propose,
      version: packageJson.version,
    })
    const sight = createSight(clusters)
    const { ingress, homes } = createConversation({
      ...outward,
      ...{ settings, store, cards, clusters, channels, authorization, actions, answers, timeZoneOf },
      sweeps: () => registry.config().sweeps,
      sharedReport: answering.reports.shared,
      ...{ linkTo, patientLinkTo, unseen: sight.unseen, takes: membership.takes, now, steady, log },
    })
    const token = createTokenCheck({ slack, log })
    const slackWorks = () =>
      ingress.connected() &&
      token.refused() === null &&
      token.silent() === null &&
      outbox.failures().size === 0
    /** Returns the last round while this replica has the desk. */
    const turn = () => (leads?.hasDesk() ? leads.last() : null)
    const unseen = () => clusterNames().filter((name) => sight.unseen(name) !== null)
    const heartbeat = createHeartbeat({
      url: config.heartbeatUrl,
      clusters: () => watching.led().map(({ config }) => config.name),
      // One replica reports for all, as long as somebody sees each of the other clusters.
      allElse: () => {
        const round = turn()
        return slackWorks() && round !== null && othersSee(round, clusterNames(), membership.id)
      },
      log,
      steady,
    })
    closing('heartbeat', heartbeat.stop)

    const storeAlarm = createStoreAlarm({
      probe: async () => {
        await leads?.round()
        await store.probe()
      },
      channels,
      speaks: () => leads?.hasDesk() ?? true,
      post: (channel, content) => slack.post(channel, null, content, `store:${channel}`),
      recovered: () => {
        outbox.kick()
        leads?.hurry()
      },
      log,
      steady,
    })

    const changes = followChanges(store, changed)
    const hooksOf = createHooks({ top: answering.top, sight, metrics, recording, heartbeat, now })
    const watching = createWatching({
      ...{ clusters, cards, storeAlarm, membership, sight, log, now, steady },
      ...{ lastLook: recording.lastLook, hooksOf },
      store: quietReads(store, changes.version),
    })
    const desk = createDesk({
      ...{ store, cards, membership, clusters, receivers, outbox, webhooks, turn, now, log },
      stands: slack.stands,
    })
    leads = createLeads({
      membership,
      clock,
      about: () => ({ clusters: clusterNames(), unseen: unseen() }),
      watch: watching.duty,
      desk: desk.duty,
      after: (round) => {
        metrics.tellLeases(leadershipIn(round, clusterNames()))
        for (let count = 0; count < round.takenOver; count++) metrics.countTakeover()
        if (watching.led().length === 0) heartbeat.idled()
      },
      log,
    })
    const sweeper = createSweeper({
      ...{ clusters, store, cards, now, log },
      sweeps: () => registry.config().sweeps,
      proposeBulk: actions.proposeBulk,
      hasDesk: () => turn() !== null,
    })
    const { last, renew, round } = leads
    const rounds = createRounds({
      ...{ holdMs, desk, steady, log },
      storeCheck: storeAlarm.check,
      changes: changes.look,
      async history() {
        if (turn()) await recording.keepLimits()
      },
      names: names.look,
      token: token.look,
      calls: async () => {
        const seen = watching.led().filter(({ config }) => sight.isKnown(config.name))
        await callDue({ store, clusters: seen, log })
      },
      sweeps: sweeper.runOnce,
      homes: homes.round,
      refusals: () => authorization.settleCounts(),
    })
    await round()
    await desk.chores()
    rounds.start()
    closing('rounds', rounds.stop)

    const reload = createReload({
      async apply(config) {
        const changes = await registry.replace(config)
        await renew(changes.changed)
        desk.reconfigured()
        rounds.hurry()
        changed()
        void names.look()
        return changes
      },
      cards,
      channel: () => registry.config().slack.channel,
      replica: () => ((last()?.replicas.length ?? 0) > 1 ? hostname() : null),
      log,
      now,
    })
    closing('reading of the configuration', reload.stop)

    const ready = createReadiness({
      ...{ storeAlarm, cards, ingress, token, outbox, access, recording, webhooks },
      watching: () => watching.led().map(({ config: { name } }) => ({ name, unseen: sight.unseen(name) })),
    })
    const http: HttpServer = await startHttp({
      ...config.http,
      slack: ingress.requestListener,
      programs: programs.requestListener,
      ready,
      metrics: metrics.expose,
      now,
    })
    closing('http', http.close)
    closing('programs', programs.stop)
    closing('ingress', ingress.stop)
    await ingress.start()
    closing('requests', ingress.drain)

    log.info({ port: http.port, clusters: clusterNames(), mode: settings.mode }, 'pg-marshal is ready')
    return { port: http.port, stop, reload: reload.run }
  } catch (error) {
    await stop()
    throw error
  }
}
