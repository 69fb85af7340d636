import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Cluster } from '../src/postgres/cluster.ts'
import type { Crowd } from './sessions.ts'
import { bare, blockingPids, wiki } from './tools.ts'

export type StormResult = {
  readonly waiting: number
  /** Until the deadlock checks of all had gone through, or until the bench lost patience. */
  readonly lastedSeconds: number
  /** The longest time without a picture, milliseconds, and how many pictures there were. */
  readonly longest: Readonly<Record<string, { readonly longestMs: number; readonly pictures: number }>>
}

const watched = [bare, blockingPids, wiki]

/**
 * Sessions pile on one row at the default deadlock_timeout: after a second each looks for a deadlock, through the whole
 * queue, with the lock table in its hands. Everybody watches the same storm at the same time, five looks a second.
 */
export async function watchStorm({
  crowd,
  cluster,
  url,
  waiting,
  mostMs,
}: {
  readonly crowd: Crowd
  readonly cluster: Cluster
  readonly url: string
  readonly waiting: number
  readonly mostMs: number
}): Promise<StormResult> {
  await crowd.grow(waiting + 1)
  const pollers = await Promise.all(watched.map((tool) => startPoller(url, tool.name)))
  await cluster.snapshot()
  for (const { child } of pollers) child.stdin?.write('go\n')
  const started = performance.now()
  await crowd.storm(waiting)

  let last = started
  let lastForest = started
  let longestMs = 0
  let longestForestMs = 0
  let pictures = 0
  let forests = 0
  let calm = 0
  // Calm: everybody waits, and for two seconds nobody has stood before the lock manager.
  while (performance.now() - started < mostMs && calm < 10) {
    const { locks, sessions } = await cluster.snapshot()
    const now = performance.now()
    longestMs = Math.max(longestMs, now - last)
    last = now
    pictures++
    if (locks.kind === 'read') {
      longestForestMs = Math.max(longestForestMs, now - lastForest)
      lastForest = now
      forests++
    }
    const isBusy = sessions.some(({ waitEvent }) => waitEvent === 'LockManager')
    const isThere = sessions.filter(({ waitEventType }) => waitEventType === 'Lock').length >= waiting
    calm = !isBusy && isThere && now - started > 3_000 ? calm + 1 : 0
    await delay(200)
  }
  const ended = performance.now()
  const told = await Promise.all(pollers.map(({ finish }) => finish()))
  await crowd.dissolve()
  const ours = {
    'pg-marshal, any picture': { longestMs: Math.round(longestMs), pictures },
    'pg-marshal, who blocks whom': {
      longestMs: Math.round(Math.max(longestForestMs, ended - lastForest)),
      pictures: forests,
    },
  }
  return {
    waiting,
    lastedSeconds: Math.round((ended - started) / 100) / 10,
    longest: {
      ...ours,
      ...Object.fromEntries(watched.map((tool, index) => [tool.name, told[index] as Told])),
    },
  }
}

type Told = { readonly longestMs: number; readonly pictures: number }

async function startPoller(
  url: string,
  tool: string,
): Promise<{ child: ChildProcess; finish: () => Promise<Told> }> {
  const program = fileURLToPath(new URL('poller.ts', import.meta.url))
  const child = spawn(process.execPath, [program, url, tool], { stdio: ['pipe', 'pipe', 'inherit'] })
  let said = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  while (!said.includes('ready')) await once(child.stdout as NodeJS.EventEmitter, 'data')
  return {
    child,
    finish: async () => {
      const closed = once(child, 'close')
      child.stdin?.end()
      await closed
      return JSON.parse(said.trim().split('\n').at(-1) ?? '{}')
    },
  }
}
