import { expect, it } from 'vitest'
import { openTestStore } from '../support/store.ts'

it('lists how much is not in Slack yet, and since when the oldest post and the oldest edit wait', async () => {
  const { messages, close } = await openTestStore()
  try {
    const put = (id: string, text: string, now: number) =>
      messages.put({ id, channel: 'C1', threadOf: null, priority: 1, once: false, text, blocks: [] }, now)
    expect(await messages.backlog()).toEqual({ count: 0, oldestAt: null, oldestEditAt: null })
    await put('first', 'a', 1_000)
    await put('second', 'a', 2_000)
    expect(await messages.backlog()).toEqual({ count: 2, oldestAt: 1_000, oldestEditAt: null })
    await messages.delivered('first', 1, '1.1', 2_500)
    expect(await messages.backlog()).toEqual({ count: 1, oldestAt: 2_000, oldestEditAt: null })
    await put('first', 'b', 3_000)
    // It waits since it was first to be edited, however often that changes.
    await put('first', 'c', 4_000)
    expect(await messages.backlog()).toEqual({ count: 2, oldestAt: 2_000, oldestEditAt: 3_000 })
    await messages.delivered('second', 1, '1.2', 5_000)
    expect(await messages.backlog()).toEqual({ count: 1, oldestAt: null, oldestEditAt: 3_000 })
    // While an edit was under way another one came: from then on it waits for that one.
    await messages.delivered('first', 2, '1.1', 6_000)
    expect(await messages.backlog()).toEqual({ count: 1, oldestAt: null, oldestEditAt: 6_000 })
    await messages.delivered('first', 3, '1.1', 7_000)
    expect(await messages.backlog()).toEqual({ count: 0, oldestAt: null, oldestEditAt: null })
  } finally {
    await close()
  }
})
