import { hostname } from 'node:os'
import packageJson from '../package.json' with { type: 'json' }
import { createActions } from './actions/actions.ts'
import { createAuthenticator } from './actions/authenticator.ts'
import { createAuthorization } from './actions/authorize.ts'
import { createSweeper } from './actions/sweep.ts'
import { createAnswers } from './answers/answer.ts'
import { recordOf } from './answers/record.ts'
import { createReports } from './answers/report.ts'
import { createFiguresReader } from './answers/stats.ts'
import { createTop } from './answers/top.ts'
import { createPrograms } from './api/programs.ts'
import { createClock } from './clock.ts'
import { asksForCodes, type Config, requireSecret, type SlackSettings } from './config/config.ts'
import { createDesk } from './desk.ts'
import { bot } from './domain/approvals/journal.ts'
import { clusterLease, deskLease, holdFor } from './domain/fleet/share.ts'
import { createMasker, createOutwardMasker, createRememberingMasker } from './domain/text/mask.ts'
import { createTagReader } from './domain/text/tags.ts'
import { createMetrics } from './http/metrics.ts'
import { readinessOf } from './http/readiness.ts'
import { type HttpServer, startHttp } from './http/server.ts'
import { createSlackLogger, type Log } from './log.ts'
import { createLoop } from './loop.ts'
import { announceBroken } from './notify/brokenChannel.ts'
import { createCards } from './notify/cards.ts'
import { createOutbox, type Gaps } from './notify/outbox.ts'
import { createStoreAlarm } from './notify/storeAlarm.ts'
import { createWebhookQueue } from './notify/webhookQueue.ts'
import { createWebhookDelivery } from './notify/webhooks.ts'
import { bouncerOf } from './postgres/bouncerReader.ts'
import { createCluster } from './postgres/cluster.ts'
import { createReload } from './reload.ts'
import { clientOptions, createSlack } from './slack/client.ts'
import { createConversation } from './slack/conversation.ts'
import { createAccessCheck } from './slack/identity.ts'
import { createNames, namedBy } from './slack/names.ts'
import { channelLinkTo, createLinkTo, createPatientLinkTo } from './slack/permalinks.ts'
import { createRefusedBlocks } from './slack/refusedBlocks.ts'
import { createTokenCheck } from './slack/tokenCheck.ts'
import { whoAmI } from './slack/whoAmI.ts'
import type { StoreWait } from './store/lock.ts'
import { quietReads } from './store/quietReads.ts'
import { openStore } from './store/store.ts'
import { callDue } from './watch/calls.ts'
import { createHeartbeat } from './watch/heartbeat.ts'
import { createLeads, type Leads, othersSee, watcherIn } from './watch/leads.ts'
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

/** Longest interval of the checks whether the store works; and between the looks whether another replica wrote there. */
const storeCheckMs = 1000
const changesMs = 300
/** Interval of the checks whether Slack still takes the token. */
const tokenCheckMs = 60_000
/** Interval of the looks whether something in the record of looks is too old, or too much. */
const historyKeptMs = 300_000
/** Interval between the look-ups of the approvers' names. */
const nameCheckMs = 600_000
/** Interval of the checks whether the open cards still stand. */
const cardCheckMs = 60_000
/** Interval between the looks whether something is due. */
const choresMs = 1000
/** Interval between the looks whether an App Home shows something old. */
const homeMs = 1000

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
  const closers: { readonly name: string; readonly close: () => Promise<void> }[] = []
  const closing = (name: string, close: () => Promise<void>) => closers.push({ name, close })
  let leads: Leads | null = null
  let stopping = false
  const stop = async () => {
    stopping = true
    for (const { name, close } of closers.splice(0).reverse())
      await close().catch((error: unknown) => log.error({ err: error }, `${name} did not close`))
  }

  try {
    const slackLogger = createSlackLogger(log)
    const maskText = createMasker(config.queryText)
    const readTags = createTagReader(config)
    const { keepMs } = config.history
    const recordText = config.queryText === 'hidden' || keepMs === null ? null : createRememberingMasker()
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
          (await store.incidents.openOutside([])).map(({ cluster, finding: { kind } }) => ({
            cluster,
            kind,
          })),
        backlog: () => store.messages.backlog(),
        figures: () => figures(),
        webhooks: () => webhooks.waiting(),
        ...(keepMs === null
          ? {}
          : {
              history: () => ({
                ...recording.counts(),
                extent: leads?.hasDesk() ? recording.extent() : null,
              }),
            }),
      },
      now,
    })
    const refusedBlocks = createRefusedBlocks({
      now,
      learned(kind, at) {
        log.warn({ kind }, 'this workspace refuses blocks of a kind; for a day they go as plain text')
        store.refusedBlocks
          .put(kind, at)
          .catch((err: unknown) => log.warn({ err, kind }, 'a refused kind of block was not remembered'))
      },
      bare: (kinds) =>
        log.error({ kinds }, 'Slack took the bare text of a message, and neither its blocks nor its buttons'),
    })
    const slack = createSlack({
      token: settings.botToken,
      options: clientOptions({ apiUrl: settings.apiUrl, logger: slackLogger, now, refusedBlocks }),
      onError: ({ code }) => metrics.countSlackError(code),
    })
    const botIdentity = await whoAmI(slack, log, signal)

    const alone: StoreWait = {
      signal,
      onWait: (seconds) =>
        log.info(`another pg-marshal works with the store; waiting up to ${seconds} s for it to end`),
    }
    const store = await openStore(config.store, alone, (sentence) => log.warn(sentence))
    closing('store', store.close)
    const holdMs = holdFor(config.clusters.map(({ watch }) => watch.everyMs))
    const membership = store.join(hostname(), holdMs)
    for (const { kind, at } of await store.refusedBlocks.all()) refusedBlocks.remember(kind, at)
    const figures = createFiguresReader({ past: store, clusters: clusterNames, now })
    closing('clusters', registry.close)
    await registry.start()

    const outbox = createOutbox({
      messages: store.messages,
      poster: slack,
      log,
      now,
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
    const maskOutward = createOutwardMasker(config.queryText)
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
      giveUp: ({ id, receiver, document: { card, event }, code }) =>
        cards.commit(card.id, async (tx) => {
          await tx.webhooks.remove(id)
          await tx.record({ kind: 'undelivered', actor: bot, receiver, what: event, reason: code })
        }),
      tried: metrics.countWebhook,
      log,
      now,
    })
    const top = createTop()
    const past = { ...store, linkTo }
    const record = recordOf({ ...store.history, settle: recording.settle }, config)
    const directory = names.who
    const reports = createReports({ past, record, maskText: maskOutward, clusters, directory, now })
    const answers = createAnswers({
      ...{ clusters, top, past, record, reports, directory, now },
      watcherOf: (cluster) => watcherIn(leads?.last() ?? null, cluster),
    })
    const programs = createPrograms({
      ...{ clusters, store, past, record, linkTo, patientLinkTo, maskText: maskOutward, now, steady, log },
      tokens: () => registry.config().http.tokens,
      requests: actions.propose,
      version: packageJson.version,
    })
    const sight = createSight(clusters)
    const { ingress, homes } = createConversation({
      ...{ settings, botIdentity, slack, refusedBlocks, logger: slackLogger },
      ...{ store, cards, clusters, channels, authorization, actions, answers, timeZoneOf },
      sweeps: () => registry.config().sweeps,
      sharedReport: reports.shared,
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
    const heartbeat =
      config.heartbeatUrl === null
        ? null
        : createHeartbeat({
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
    closing('heartbeat', async () => heartbeat?.stop())

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

    let changes: number | null = null
    const watching = createWatching({
      ...{ clusters, cards, storeAlarm, membership, sight, log, now, steady },
      store: quietReads(store, () => `${changes} ${store.writes()}`),
      lastLook: recording.lastLook,
      hooksOf: (name) => ({
        saw: (picture, seconds) => {
          top.saw(picture.snapshot)
          sight.saw(picture.snapshot)
          metrics.observeSnapshot(picture, seconds)
          recording.saw(picture)
        },
        unseen: (why) => {
          metrics.clusterUnseen(name)
          recording.unseen(name, now(), why)
        },
        done: (well) => {
          sight.looked(name)
          heartbeat?.looked(name, well)
        },
        left: () => {
          sight.left(name)
          recording.left(name)
        },
      }),
    })
    const { stands } = slack
    const desk = createDesk({ store, cards, clusters, receivers, outbox, webhooks, stands, turn, now, log })
    leads = createLeads({
      membership,
      clock,
      about: () => ({ clusters: clusterNames(), unseen: unseen() }),
      watch: watching.duty,
      desk: desk.duty,
      after: ({ leases, replicas, takenOver }) => {
        const names = [deskLease, ...clusterNames().map(clusterLease)]
        metrics.tellLeases({
          replicas: replicas.length,
          leases: names.map((name) => ({ name, takenAt: leases.get(name)?.takenAt ?? null })),
        })
        for (let count = 0; count < takenOver; count++) metrics.countTakeover()
        if (watching.led().length === 0) heartbeat?.idled()
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
    const loop = (name: string, everyMs: number, runOnce: () => Promise<void>) =>
      createLoop({ name, everyMs, runOnce, steady, log })
    const storeCheck = loop('store check', Math.min(storeCheckMs, holdMs / 5), storeAlarm.check)
    const loops = [
      storeCheck,
      loop('changes', changesMs, async () => {
        const before = changes
        changes = await store.changes()
        if (changes !== before) changed()
      }),
      loop('history', historyKeptMs, async () => {
        if (turn()) await recording.keepLimits()
      }),
      loop('names', nameCheckMs, names.look),
      loop('token check', tokenCheckMs, token.look),
      loop('card check', cardCheckMs, desk.checkCards),
      loop('calls of programs', historyKeptMs, desk.forgetCalls),
      loop('chores', choresMs, desk.chores),
      loop('calls', choresMs, async () => {
        const seen = watching.led().filter(({ config }) => sight.isKnown(config.name))
        await callDue({ store, clusters: seen, log })
      }),
      loop('sweeps', choresMs, sweeper.runOnce),
      loop('homes', homeMs, homes.round),
      loop('counts of refusals', choresMs, () => authorization.settleCounts()),
    ]
    await round()
    await desk.chores()
    for (const loop of loops) loop.start()
    closing('loops', async () => {
      await Promise.all(loops.map((loop) => loop.stop()))
    })

    const reload = createReload({
      async apply(config) {
        const changes = await registry.replace(config)
        await renew(changes.changed)
        desk.reconfigured()
        storeCheck.hurry()
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

    const ready = () =>
      readinessOf({
        store: { failure: storeAlarm.failure(), isWritable: cards.isWritable() },
        slack: {
          ingress: ingress.failure(),
          refused: token.refused(),
          silent: token.silent(),
          untaken: outbox.failures(),
          unreadable: access.unreadable(),
        },
        history: recording.failure(),
        webhooks: webhooks.failures(),
        clusters: watching.led().map(({ config: { name } }) => ({ name, unseen: sight.unseen(name) })),
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
