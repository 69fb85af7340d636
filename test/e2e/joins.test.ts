import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Message } from 'slack-workspace'
import { describe, expect, it } from 'vitest'
import type { JournalRow } from '../../src/domain/approvals/journal.ts'
import { channel, hasButton, openRoom, type Room, wordsOf } from '../support/harness.ts'
import type { TestSession } from '../support/postgres.ts'
import { jamOne, useShop } from '../support/shop.ts'

let room: Room
const { server, shop } = await useShop(() => room)

const alive = async (session: TestSession) => (await session.query('SELECT true AS alive')).rows[0].alive

/** A session that is idle in its transaction, with nobody behind it and no card. */
async function forgotten(): Promise<TestSession> {
  const session = await server.open('batch', shop)
  await session.query('BEGIN; SELECT 1')
  return session
}

function journal(): JournalRow['event'][] {
  const database = new DatabaseSync(join(room.directory, 'store.db'), { readOnly: true })
  const rows = database.prepare('SELECT event FROM journal ORDER BY seq').all()
  database.close()
  return rows.map(({ event }) => JSON.parse(String(event)))
}
const kinds = (kind: JournalRow['event']['kind']) => journal().filter((event) => event.kind === kind)

const cards = (): readonly Message[] =>
  room.workspace.messages(channel).filter((message) => hasButton(message, 'pg_details'))

/** Presses a button of a private answer, as the person who got it. */
async function pressPrivate(userId: string, actionId: string, value: string) {
  const { payload } = await room.press(userId, await room.card('pg_details'), 'pg_details')
  const action = { type: 'button', action_id: actionId, block_id: 'b', value, action_ts: '1.1' }
  await room.workspace.sendRaw({ type: 'interactive', payload: { ...payload, actions: [action] } })
}

const proposalOf = (message: Message | undefined, actionId: string): string =>
  new RegExp(`"action_id":"${actionId}"[^}]*?"value":"([^"]+)"`).exec(JSON.stringify(message?.blocks))?.[1] ??
  /"value":"([0-9a-f-]{36})"/.exec(JSON.stringify(message?.blocks))?.[1] ??
  ''

const privateButton = (userId: string, actionId: string) =>
  room.workspace.waitFor(
    () =>
      room.workspace
        .ephemerals(userId)
        .flatMap(({ blocks = [] }) => blocks)
        .flatMap((block) => (block.type === 'actions' ? (block.elements as Record<string, unknown>[]) : []))
        .findLast((element) => element.action_id === actionId),
    { what: `${actionId} for ${userId}` },
  )

describe('a request by hand for a session that an open card offers', () => {
  it('joins that card: its reason and its requester stand there, and who asked may not approve', async () => {
    room = await openRoom(server.marshalUrl)
    const { root } = await jamOne(server, shop)
    await room.start()
    const card = await room.card('approve_terminate')
    await room.type('U0DANA', `terminate ${root.pid} deploy is stuck`)
    const answer = await room.whisper('U0DANA', /your request joined it/)
    expect(answer).toMatch(new RegExp(`/archives/${channel}/p${card.ts.replace('.', '')}`))
    expect(answer).toContain('somebody else has to approve it')
    const joined = await room.until(card.ts, /U0DANA.* asks: deploy is stuck/)
    await room.thread(card.ts, /<@U0DANA> asks to terminate .*deploy is stuck/)
    expect(cards()).toHaveLength(1)
    await room.press('U0DANA', joined, 'approve_terminate')
    await room.whisper('U0DANA', /you asked for it, so somebody else has to approve it/)
    await room.thread(card.ts, /<@U0DANA> was refused .*who asks for it does not approve it/)
    expect(await alive(root)).toBe(true)
    await room.press('U0DEVI', joined, 'approve_terminate')
    await root.ended
    await room.line(/^Terminate .*approved by <@U0DEVI>, requested by <@U0DANA>/)
    await room.until(card.ts, /It was ended by the approved terminate/)
  })

  it('makes one card of two that ask at the same moment', async () => {
    room = await openRoom(server.marshalUrl)
    const session = await forgotten()
    await room.start()
    await Promise.all([
      room.type('U0RESP', `terminate ${session.pid} first`),
      room.type('U0DANA', `terminate ${session.pid} second`),
    ])
    const card = await room.card('approve_terminate', 'as well')
    await room.until(card.ts, /first[\s\S]*second|second[\s\S]*first/)
    expect(cards()).toHaveLength(1)
    expect(
      kinds('requested')
        .map(({ actor }) => actor)
        .sort(),
    ).toEqual(['U0DANA', 'U0RESP'])
  })

  it('counts a doubled delivery of the command once', async () => {
    room = await openRoom(server.marshalUrl)
    const session = await forgotten()
    await room.start()
    room.workspace.duplicateNext()
    await room.type('U0RESP', `terminate ${session.pid} forgotten`)
    expect(await room.whisper('U0RESP', /You asked for this already/)).toContain(`/archives/${channel}/p`)
    await room.card('approve_terminate')
    expect(cards()).toHaveLength(1)
    expect(kinds('requested')).toHaveLength(1)
  })

  it('says that it is under way where it is being approved at this moment', async () => {
    room = await openRoom(server.marshalUrl, { over: { watch: { every: '1h' } } })
    const session = await forgotten()
    await room.start()
    await room.type('U0RESP', `terminate ${session.pid} stuck`)
    const card = await room.card('approve_terminate')
    // A stopped backend takes no signal, so the approval is under way for as long as the test needs.
    process.kill(session.pid, 'SIGSTOP')
    try {
      const pressed = room.press('U0DANA', card, 'approve_terminate')
      await room.until(card.ts, /sending/)
      await room.type('U0DEVI', `terminate ${session.pid} stuck too`)
      expect(await room.whisper('U0DEVI', /is being carried out/)).toContain('/archives/')
      expect(cards()).toHaveLength(1)
      await pressed
    } finally {
      process.kill(session.pid, 'SIGCONT')
    }
    await session.ended
    expect(kinds('intended')).toHaveLength(1)
  })

  it('comes over to the card of the trouble that the session makes later, with who asked and why', async () => {
    room = await openRoom(server.marshalUrl)
    const root = await server.open('checkout', shop)
    await root.query("BEGIN; UPDATE orders SET state = 'paying' WHERE id = 1")
    await room.start()
    await room.type('U0DANA', `terminate ${root.pid} deploy is stuck`)
    const request = await room.card('approve_terminate')
    const victim = await server.open('web', shop)
    void victim.start("UPDATE orders SET state = 'x' WHERE id = 1")
    const card = await room.card('approve_terminate', 'blocks 1 session')
    expect(card.ts).not.toBe(request.ts)
    const left = await room.until(request.ts, /on the card of the trouble now/)
    expect(hasButton(left, 'approve_terminate')).toBe(false)
    const joined = await room.until(card.ts, /U0DANA.* asks: deploy is stuck/)
    expect(kinds('requested')).toHaveLength(1)
    await room.press('U0DANA', joined, 'approve_terminate')
    await room.whisper('U0DANA', /you asked for it, so somebody else has to approve it/)
    await room.press('U0DEVI', joined, 'approve_terminate')
    await root.ended
    expect(kinds('intended')).toHaveLength(1)
  })

  it('stays where somebody has begun to approve it, and the card of the trouble offers nothing beside it', async () => {
    room = await openRoom(server.marshalUrl, { over: { approvals: { people: { terminate: 2 } } } })
    const root = await server.open('checkout', shop)
    await root.query("BEGIN; UPDATE orders SET state = 'paying' WHERE id = 1")
    await room.start()
    await room.type('U0RESP', `terminate ${root.pid} deploy is stuck`)
    const request = await room.card('approve_terminate')
    await room.press('U0DANA', request, 'approve_terminate')
    await room.until(request.ts, /1 of 2|1 more/)
    const victim = await server.open('web', shop)
    void victim.start("UPDATE orders SET state = 'x' WHERE id = 1")
    const trouble = await room.workspace.waitFor(
      () => cards().find(({ text }) => text.includes('blocks 1 session')),
      { what: 'the card of the trouble' },
    )
    await room.press('U0DEVI', request, 'approve_terminate')
    await root.ended
    await room.until(trouble.ts, /Resolved/)
    expect(kinds('offered')).toEqual([])
    expect(kinds('intended')).toHaveLength(1)
  })

  it('of the other action changes nothing, and says how to get it', async () => {
    room = await openRoom(server.marshalUrl, { over: { watch: { every: '200ms', queryLongerThan: '1s' } } })
    const busy = await server.open('report', shop)
    const works = busy.start('SELECT pg_sleep(3600)')
    await room.start()
    const card = await room.card('approve_cancel')
    await room.type('U0RESP', `terminate ${busy.pid} enough`)
    const answer = await room.whisper('U0RESP', /asks to cancel .* already/)
    expect(answer).toContain('/archives/')
    expect(cards()).toHaveLength(1)
    await room.press('U0DANA', card, 'approve_cancel')
    expect(await works).toMatchObject({ code: '57014' })
  })
})

it('a request gives way to a new one where its session does something else now', async () => {
  room = await openRoom(server.marshalUrl, { over: { watch: { every: '60s', blockedFor: '1h' } } })
  const session = await forgotten()
  await room.start()
  await room.type('U0RESP', `terminate ${session.pid} forgotten`)
  await room.card('approve_terminate')
  await session.query('COMMIT; BEGIN; SELECT 2')
  await room.type('U0RESP', `terminate ${session.pid} forgotten again`)
  await room.workspace.waitFor(() => kinds('requested').length === 2, { what: 'another request' })
  expect(kinds('withdrawn')).toMatchObject([{ reason: expect.stringMatching(/transaction ended/) }])
})

describe('"Offer again"', () => {
  it('is gone from the card once its session is', async () => {
    room = await openRoom(server.marshalUrl, { over: { approvals: { expireAfter: '1s' } } })
    const session = await forgotten()
    await room.start()
    await room.type('U0RESP', `terminate ${session.pid} forgotten`)
    const card = await room.card('pg_offer_again', 'Expired')
    await session.query('COMMIT')
    await room.workspace.waitFor(
      () => !hasButton(cards().find(({ ts }) => ts === card.ts) ?? card, 'pg_offer_again'),
      { what: 'a card without "Offer again"' },
    )
  })
})

describe('a refused press of an approve button', () => {
  it('offers to ask the approvers, who are mentioned once, however often somebody presses', async () => {
    room = await openRoom(server.marshalUrl)
    await jamOne(server, shop)
    await room.start()
    const card = await room.card('approve_terminate')
    await room.press('U0RESP', card, 'approve_terminate')
    const refusal = await room.whisper('U0RESP', /not among those/)
    expect(refusal).toContain('Only <@U0DANA> and <!subteam^S0DBAONCALL> may approve.')
    await room.thread(card.ts, /<@U0RESP> was refused .*they are not among those/)
    const ask = await privateButton('U0RESP', 'pg_ask')
    expect(ask.value).toBe(proposalOf(card, 'approve_terminate'))
    await Promise.all(Array.from({ length: 10 }, () => pressPrivate('U0RESP', 'pg_ask', String(ask.value))))
    await room.whisper('U0RESP', /^Asked <@U0DANA> and <!subteam\^S0DBAONCALL> in the thread/)
    await room.whisper('U0RESP', /once in five minutes/)
    const thread = await room.thread(card.ts, /<@U0DANA> and <!subteam\^S0DBAONCALL>, <@U0RESP> asks you/)
    const notes = thread.filter(({ text }) => /asks you to decide/.test(text))
    expect(notes).toHaveLength(1)
    expect(notes[0]?.text).toContain(`/archives/${channel}/p${card.ts.replace('.', '')}`)
    expect(kinds('requested')).toMatchObject([{ actor: 'U0RESP', asked: ['U0DANA', 'S0DBAONCALL'] }])
  })

  it('lets no guest ask, and nobody once it is decided', async () => {
    room = await openRoom(server.marshalUrl)
    const { root } = await jamOne(server, shop)
    await room.start()
    const card = await room.card('approve_terminate')
    const id = proposalOf(card, 'approve_terminate')
    await pressPrivate('U0GUEST', 'pg_ask', id)
    await room.whisper('U0GUEST', /guests/)
    expect(kinds('requested')).toEqual([])
    await room.press('U0DANA', card, 'approve_terminate')
    await root.ended
    await room.until(card.ts, /is gone|Resolved/)
    await pressPrivate('U0RESP', 'pg_ask', id)
    await room.whisper('U0RESP', /already decided/)
    expect(kinds('requested')).toEqual([])
  })
})

describe('an action that cannot help', () => {
  it('is refused with the one that does, and its button asks for it', async () => {
    room = await openRoom(server.marshalUrl)
    const session = await forgotten()
    await room.start()
    await room.type('U0RESP', `cancel ${session.pid} stuck`)
    await room.whisper('U0RESP', /Cancel has no effect on it.*Terminate closes the connection/)
    const propose = await privateButton('U0RESP', 'pg_propose_terminate')
    expect(JSON.stringify(propose.text)).toContain(`Propose: terminate batch (${session.pid})`)
    await room.type('U0RESP', `terminate ${session.pid}`)
    const card = await room.card('approve_terminate')
    await room.press('U0DANA', card, 'approve_terminate')
    await session.ended
    expect(wordsOf(card)).toContain('asks')
  })
})
