import { expect, it } from 'vitest'
import { openPager } from '../pager.ts'

it('takes what PagerDuty takes, shows the newest first, and refuses what is none', async () => {
  const heard: string[] = []
  const pager = await openPager(({ action }) => heard.push(action))
  const send = async (body: unknown) =>
    (await fetch(pager.url, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) }))
      .status
  try {
    const trigger = {
      event_action: 'trigger',
      dedup_key: 'incident',
      payload: { severity: 'critical', summary: 'checkout blocks 6 sessions', source: 'orders' },
    }
    expect(await send(trigger)).toBe(202)
    expect(await send({ event_action: 'resolve', dedup_key: 'incident' })).toBe(202)
    expect(await send({ event_action: 'explode', dedup_key: 'incident' })).toBe(400)
    expect(await send('no JSON')).toBe(400)
    expect(heard).toEqual(['trigger', 'resolve'])
    expect(pager.events()).toMatchObject([
      { action: 'resolve', key: 'incident', summary: '' },
      { action: 'trigger', key: 'incident', severity: 'critical', summary: 'checkout blocks 6 sessions' },
    ])
  } finally {
    await pager.close()
  }
})
