import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openStore } from '../../src/store/store.ts'

it('tells how much is not in Slack yet, and since when the oldest waits that was never posted', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pg-marshal-backlog-'))
  const { messages, close } = await openStore({ kind: 'sqlite', path: join(directory, 'store.db') })
  try {
    const put = (id: string, text: string, now: number) =>
      messages.put({ id, channel: 'C1', threadOf: null, priority: 1, once: false, text, blocks: [] }, now)
    expect(await messages.backlog()).toEqual({ count: 0, oldestAt: null })
    await put('first', 'a', 1_000)
    await put('second', 'a', 2_000)
    expect(await messages.backlog()).toEqual({ count: 2, oldestAt: 1_000 })
    await messages.delivered('first', 1, '1.1')
    expect(await messages.backlog()).toEqual({ count: 1, oldestAt: 2_000 })
    // An edit of what stands there already counts, and has no age of its own.
    await put('first', 'b', 3_000)
    expect(await messages.backlog()).toEqual({ count: 2, oldestAt: 2_000 })
    await messages.delivered('second', 1, '1.2')
    expect(await messages.backlog()).toEqual({ count: 1, oldestAt: null })
  } finally {
    await close()
    await rm(directory, { recursive: true })
  }
})
